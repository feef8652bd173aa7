import { RemitError } from "@remit/contract";
import { expect, test } from "vitest";
import { endsOfMetrics, endsOfSpans } from "./told-ends.ts";

const traceId = "0AF7651916CD43DD8448EB211C80319C";
const span = (attributes: Record<string, string>, endTimeUnixNano = "1700000000000000000") => ({
  traceId,
  endTimeUnixNano,
  attributes: Object.entries(attributes).map(([key, stringValue]) => ({ key, value: { stringValue } })),
});
const line = (...spans: object[]) => JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] });

test("[OBS-16] spans are read as a collector's file exporter writes them; those that end no action are passed over", () => {
  const text = `${line(span({ "remit.action.id": "act_1", "remit.outcome": "failed" }), span({ "remit.action.id": "act_1" }))}\n\n${line(span({}))}\n`;
  expect(endsOfSpans(text, null)).toEqual([{ actionId: "act_1", traceId: traceId.toLowerCase(), end: "failed" }]);
  expect(endsOfSpans(text, new Date(1_700_000_000_000))).toHaveLength(1);
  expect(endsOfSpans(text, new Date(1_700_000_000_001))).toEqual([]);
});

test.each(["{", "[]", '{"resourceMetrics":[]}', '{"resourceSpans":[{"scopeSpans":[{"spans":[{}]}]}]}'])(
  "[OBS-16] what is no export of traces is refused, and its line named: %s",
  (bad) => {
    const refused = (): unknown => endsOfSpans(`${line()}\n${bad}`, null);
    expect(refused).toThrow(RemitError);
    expect(refused).toThrow("Line 2");
  },
);

test("[OBS-16] of metrics, what ended and what began to wait is counted over all other labels", () => {
  const { ends, counted, dropped } = endsOfMetrics(`# HELP remit_actions_total Actions
remit_actions_total{effect="read",outcome="failed"} 2
remit_actions_total{effect="write",outcome="failed"} 3
remit_decisions_total{code="none",effect="write",verdict="require-approval"} 4
remit_decisions_total{code="none",effect="write",verdict="allow"} 40
remit_agent_actions_total{agent="a",outcome="failed"} 5
remit_ledger_counted_entries 99
remit_spans_total{result="dropped"} 7
remit_spans_total{result="sent"} 70
`);
  expect([...ends]).toEqual([
    ["failed", 5],
    ["waiting", 4],
  ]);
  expect({ counted, dropped }).toEqual({ counted: 99, dropped: 7 });
});
