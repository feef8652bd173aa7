import type { RecordedEvent } from "@remit/contract";
import { RemitError } from "@remit/contract";
import type { ToldEnd } from "@remit/core";
import { z } from "zod";

/** What an entry of an action's end tells; null for every other. */
export function endOfEntry({ event }: RecordedEvent): ToldEnd | null {
  const [, end] = /^remit\.action-(\w+)$/.exec(event.type) ?? [];
  return end === undefined || event.actionid === undefined ? null : { actionId: event.actionid, traceId: event.traceid ?? null, end };
}

const valueSchema = z.looseObject({ stringValue: z.string().optional() });
const spanSchema = z.looseObject({
  traceId: z.string(),
  endTimeUnixNano: z.union([z.string(), z.number()]).optional(),
  attributes: z.array(z.looseObject({ key: z.string(), value: valueSchema })).default([]),
});
const exportSchema = z.looseObject({
  resourceSpans: z.array(z.looseObject({ scopeSpans: z.array(z.looseObject({ spans: z.array(spanSchema).default([]) })).default([]) })),
});

/**
 * What the spans of a file tell that a collector's file exporter wrote: one `ExportTraceServiceRequest` in OTLP's JSON a line.
 * @throws RemitError `invalid-request`, naming the line
 */
export function endsOfSpans(text: string, since: Date | null): ToldEnd[] {
  return text.split("\n").flatMap((line, index) => (line.trim() === "" ? [] : endsOfExport(line, index + 1, since)));
}

function endsOfExport(line: string, number: number, since: Date | null): ToldEnd[] {
  let parsed: z.infer<typeof exportSchema>;
  try {
    parsed = exportSchema.parse(JSON.parse(line));
  } catch (error) {
    const message = `Line ${number} of the spans is not an export of traces in OTLP's JSON, as a collector's file exporter writes it.`;
    throw new RemitError("invalid-request", message, { cause: error });
  }
  return parsed.resourceSpans
    .flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans))
    .flatMap(({ traceId, endTimeUnixNano, attributes }) => {
      if (since !== null && Number(endTimeUnixNano ?? 0) / 1e6 < since.getTime()) return [];
      const of = (key: string): string | undefined => attributes.find((attribute) => attribute.key === key)?.value.stringValue;
      const [actionId, end] = [of("remit.action.id"), of("remit.outcome")];
      return actionId === undefined || end === undefined ? [] : [{ actionId, traceId: traceId.toLowerCase(), end }];
    });
}

/** What `/metrics` tells: ends of actions, up to which size of the ledger, and how many spans could not be sent. */
export function endsOfMetrics(text: string): { ends: Map<string, number>; counted: number | null; dropped: number } {
  const ends = new Map<string, number>();
  let counted: number | null = null;
  let dropped = 0;
  for (const line of text.split("\n")) {
    const [, name = "", labels = "", number = ""] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    const value = Number(number);
    if (name === "remit_ledger_counted_entries") counted = value;
    if (name === "remit_spans_total" && labels.includes('result="dropped"')) dropped = value;
    const [, outcome] = name === "remit_actions_total" ? (/outcome="(\w+)"/.exec(labels) ?? []) : [];
    const end = name === "remit_decisions_total" && labels.includes('verdict="require-approval"') ? "waiting" : outcome;
    if (end !== undefined) ends.set(end, (ends.get(end) ?? 0) + value);
  }
  return { ends, counted, dropped };
}
