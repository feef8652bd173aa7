import type { EntryType, NewEntry } from "@remit/contract";
import { expect, test } from "vitest";
import { fill, openTestLedger, testId } from "../ledger/ledger.testing.ts";
import { createLedgerMetrics } from "./ledger-metrics.ts";
import { renderMetrics } from "./metric-family.ts";
import { valuesOf } from "./metrics.testing.ts";
import { createTallyStore } from "./tally.postgres.ts";

type Kind = { type: EntryType; tool: string; code?: string; durationMs?: number };

const kinds: readonly Kind[] = [
  { type: "action-intended", tool: "desk__read" },
  { type: "action-succeeded", tool: "desk__read", durationMs: 5 },
  { type: "action-failed", tool: "desk__read", code: "upstream-error", durationMs: 6 },
  { type: "action-denied", tool: "made__up", code: "unknown-tool" },
  { type: "approval-requested", tool: "desk__mail" },
];
const kindOf = (seq: number): Kind => kinds[seq % kinds.length] as Kind;
const entryOf = (seq: number): Partial<NewEntry> => {
  const { type, tool, code, durationMs } = kindOf(seq);
  return {
    type,
    actor: "agent:triage",
    ...(type.startsWith("action-") ? { actionId: testId("action") } : {}),
    data: { tool, ...(code === undefined ? {} : { code }), ...(durationMs === undefined ? {} : { durationMs }) },
  };
};

async function openMetrics() {
  const ledger = await openTestLedger();
  const store = createTallyStore(ledger.database);
  const known = () => ({ agent: new Set(["triage"]), tool: new Set(["desk__read", "desk__mail"]) });
  const metrics = () => createLedgerMetrics({ store, known });
  const read = async (from = metrics()) => valuesOf(renderMetrics(from.families, await from.read()));
  return { ledger, store, metrics, read, [Symbol.asyncDispose]: () => ledger[Symbol.asyncDispose]() };
}

test("[OBS-03] what is counted is what the ledger holds, whoever counts and however often", async () => {
  await using world = await openMetrics();
  await fill(world.ledger, [20, 30], entryOf);
  // Two servers that are asked at once count no entry twice.
  await Promise.all(Array.from({ length: 4 }, () => world.read()));
  await fill(world.ledger, [25], entryOf);
  const values = await world.read();
  const of = (name: string) => values.get(name);
  expect(of("remit_ledger_counted_entries")).toBe(75);
  expect(of("remit_ledger_uncounted_entries")).toBe(0);
  for (const { type } of kinds) expect(of(`remit_ledger_entries_total{type="${type}"}`)).toBe(15);
  expect(of('remit_decisions_total{code="none",effect="unknown",verdict="allow"}')).toBe(15);
  expect(of('remit_decisions_total{code="unknown-tool",effect="unknown",verdict="deny"}')).toBe(15);
  expect(of('remit_actions_total{effect="unknown",outcome="failed"}')).toBe(15);
  expect(of('remit_action_failures_total{code="upstream-error"}')).toBe(15);
  expect(of('remit_approvals_total{step="requested"}')).toBe(15);
  expect(of('remit_agent_actions_total{agent="triage",outcome="succeeded"}')).toBe(15);
  // What anybody may make up is no series of its own.
  expect(of('remit_tool_actions_total{outcome="denied",tool="other"}')).toBe(15);
  expect([...values.keys()].join()).not.toContain("made__up");
  // A bound is of its own bucket.
  expect(of('remit_action_duration_seconds_bucket{effect="unknown",le="0.005"}')).toBe(15);
  expect(of('remit_action_duration_seconds_bucket{effect="unknown",le="0.01"}')).toBe(30);
  expect(of('remit_action_duration_seconds_bucket{effect="unknown",le="+Inf"}')).toBe(30);
  expect(of('remit_action_duration_seconds_count{effect="unknown"}')).toBe(30);
  expect(of('remit_action_duration_seconds_sum{effect="unknown"}')).toBeCloseTo(0.165, 6);
  expect(of("remit_ledger_merge_delay_seconds_count")).toBe(75);
});

test("[OBS-03] what somebody else has counted meanwhile is not added again", async () => {
  await using world = await openMetrics();
  await fill(world.ledger, [10], entryOf);
  expect(await world.store.add(0, 10, [{ metric: "remit_ledger_entries_total", labels: "{}", value: 10 }])).toBe(true);
  expect(await world.store.add(0, 10, [{ metric: "remit_ledger_entries_total", labels: "{}", value: 10 }])).toBe(false);
  expect(await world.store.all()).toEqual({ counted: 10, tallies: [{ metric: "remit_ledger_entries_total", labels: "{}", value: 10 }] });
});

test("[OBS-03] names that are registered get series, and no more of them than there is room for", async () => {
  await using world = await openMetrics();
  const names = Array.from({ length: 230 }, (_, index) => `desk__tool${index}`);
  const known = () => ({ agent: new Set<string>(), tool: new Set(names) });
  await fill(world.ledger, [460], (seq) => ({ actionId: testId("action"), data: { tool: names[seq % 230] ?? "", code: "no-grant" } }));
  const read = () => world.read(createLedgerMetrics({ store: world.store, known }));
  const tools = (values: Map<string, number>) => [...values].filter(([name]) => name.startsWith("remit_tool_actions_total"));
  expect(tools(await read())).toHaveLength(201);
  await fill(world.ledger, [230], (seq) => ({ actionId: testId("action"), data: { tool: names[seq] ?? "", code: "no-grant" } }));
  const after = tools(await read());
  expect(after).toHaveLength(201);
  expect(new Set(after.map(([, value]) => value))).toEqual(new Set([3, 90]));
});
