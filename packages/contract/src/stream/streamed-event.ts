import { z } from "zod";
import { entryTypes } from "../ledger/entry.ts";
import type { EntryType } from "../ledger/entry.ts";

/** What begins the type of every event: a name that nobody else's events have. */
export const eventTypePrefix = "dev.remit.";

/** The media type of one CloudEvents 1.0 event in JSON. */
export const eventMediaType = "application/cloudevents+json";
/** The media type of several, in one array. */
export const eventBatchMediaType = "application/cloudevents-batch+json";

/**
 * An entry of the ledger as it is sent out: a CloudEvents 1.0 event (https://github.com/cloudevents/spec) in structured JSON, with the
 * documented extensions `sequence` and `traceparent`. It comes at least once: the same `source` and `id` are the same event.
 */
export const streamedEventSchema = z.looseObject({
  specversion: z.literal("1.0"),
  /** The id of the entry: what doubles are recognised by. */
  id: z.string(),
  /** The origin of the ledger. */
  source: z.string(),
  /** `dev.remit.` and the entry's type, noun-verb. */
  type: z.string().startsWith(eventTypePrefix),
  /** What it is about: the run, else the action, else the approval. */
  subject: z.string().optional(),
  /** When it happened, ISO 8601 in UTC with milliseconds. */
  time: z.string(),
  datacontenttype: z.literal("application/json"),
  /** Its place in the ledger, from 0, in 16 digits, so that it sorts as text. */
  sequence: z.string().regex(/^\d{16}$/),
  /** W3C trace context: the trace that it happened in. Its parent id is made of the entry's id, and is no span. */
  traceparent: z.string().optional(),
  /** Who did it: `agent:<name>`, `party:<name>` or `service:<name>`. */
  actor: z.string(),
  /** Which agent it concerns, whoever acted. */
  agent: z.string().optional(),
  runid: z.string().optional(),
  actionid: z.string().optional(),
  approvalid: z.string().optional(),
  /** The facts of the entry. Of its payloads there are commitments only. */
  data: z.record(z.string(), z.unknown()),
});
export type StreamedEvent = z.infer<typeof streamedEventSchema>;

/** The sequence number of an event. */
export function sequenceOf(event: Pick<StreamedEvent, "sequence">): number {
  return Number(event.sequence);
}

/** Which events are wanted. Null: any. */
export const eventFilterSchema = z.strictObject({
  types: z.array(z.enum(entryTypes)).nullable(),
  run: z.string().nullable(),
  agent: z.string().nullable(),
});
export type EventFilter = z.infer<typeof eventFilterSchema>;

/** Event types as people write them: `approval-requested`, `dev.remit.approval-requested`, or all of a noun by `approval-*`. */
export const eventTypesSchema = z
  .string()
  .min(1)
  .max(4_000)
  .transform((text, context): EntryType[] => {
    const types = new Set<EntryType>();
    for (const word of text.split(",").map((part) => part.trim())) {
      const name = word.startsWith(eventTypePrefix) ? word.slice(eventTypePrefix.length) : word;
      const found =
        name === "*" ? entryTypes : entryTypes.filter((type) => (name.endsWith("-*") ? type.startsWith(name.slice(0, -1)) : type === name));
      if (found.length === 0) context.addIssue({ code: "custom", message: `there is no event type "${word}"; see: remit events types` });
      for (const type of found) types.add(type);
    }
    return [...types];
  });
