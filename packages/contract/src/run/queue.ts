import { z } from "zod";

/** Text that is stored and shown to people. PostgreSQL cannot hold U+0000. */
export const lineSchema = z.string().refine((text) => !text.includes("\u0000"), "the character U+0000 is not accepted");

/** Adding work to a queue. */
export const enqueueSchema = z.strictObject({
  /** One line that people recognise the work by. */
  subject: lineSchema.min(1).max(300),
  /** What the agent is given, as JSON. */
  payload: z.record(z.string(), z.unknown()),
  /** The same key twice is the same item. */
  key: lineSchema.min(1).max(200).optional(),
});
export type Enqueue = z.infer<typeof enqueueSchema>;

/** A piece of work as the run that claimed it is given it. */
export const claimedItemSchema = z.object({
  id: z.string(),
  queue: z.string(),
  subject: z.string(),
  payload: z.record(z.string(), z.unknown()),
  /** How many runs have claimed it, this one counted. */
  attempt: z.int(),
});
export type ClaimedItem = z.infer<typeof claimedItemSchema>;

/** Where a piece of work is. `set-aside`: too many runs have tried it, and no other will. */
export const itemStateSchema = z.enum(["ready", "claimed", "completed", "set-aside"]);
export type ItemState = z.infer<typeof itemStateSchema>;

/** A piece of work as it is listed. What the agent is given is not shown: it may be about a customer. */
export const itemViewSchema = z.object({
  id: z.string(),
  queue: z.string(),
  state: itemStateSchema,
  subject: z.string(),
  key: z.string().nullable(),
  /** How many runs have claimed it. */
  attempts: z.int(),
  /** The run that claimed it last. */
  runId: z.string().nullable(),
  enqueuedBy: z.string(),
  enqueuedAt: z.string(),
  endedAt: z.string().nullable(),
});
export type ItemView = z.infer<typeof itemViewSchema>;

/** A queue and how full it is. */
export const queueViewSchema = z.object({
  name: z.string(),
  ready: z.int(),
  claimed: z.int(),
  setAside: z.int(),
  /** At so many items that are ready or claimed, one more is refused. Null: the queue is no longer registered. */
  maxDepth: z.int().nullable(),
});
export type QueueView = z.infer<typeof queueViewSchema>;
