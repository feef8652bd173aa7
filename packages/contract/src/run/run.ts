import { z } from "zod";
import { nameSchema } from "../registry/name.ts";

/** Where a run is. */
export const runStateSchema = z.enum(["running", "completed", "failed", "stopped-at-limit", "halted", "cancelled", "lost"]);
export type RunState = z.infer<typeof runStateSchema>;

/** Starting a run. Everything here can only narrow what the workflow and its agent allow. */
export const startRunSchema = z.strictObject({
  workflow: nameSchema,
  environment: nameSchema,
  /** Default: the agent's first policy. */
  policy: nameSchema.optional(),
  /** Default: the workflow's queue. `null`: no queue. */
  queue: nameSchema.nullable().optional(),
  maxActions: z.int().min(1).optional(),
  requireApproval: z.array(z.string().min(1)).default([]),
  serviceName: z.string().max(200).optional(),
  traceparent: z.string().max(100).optional(),
});
export type StartRun = z.infer<typeof startRunSchema>;

/** Adding work to a queue. */
export const enqueueSchema = z.strictObject({
  /** One line that people recognise the work by. */
  subject: z.string().min(1).max(300),
  /** What the agent is given, as JSON. */
  payload: z.record(z.string(), z.unknown()),
  /** The same key twice is the same item. */
  key: z.string().min(1).max(200).optional(),
});
export type Enqueue = z.infer<typeof enqueueSchema>;

/** A run as it is shown and followed. */
export const runViewSchema = z.object({
  id: z.string(),
  state: runStateSchema,
  workflow: z.string(),
  agent: z.string(),
  accountable: z.string(),
  environment: z.string(),
  policy: z.string(),
  queue: z.string().nullable(),
  subject: z.string().nullable(),
  limits: z.object({ actions: z.int(), deadline: z.string() }),
  startedAt: z.string(),
  endedAt: z.string().nullable(),
  reason: z.string().nullable(),
  /** How many actions are in each state. */
  actions: z.record(z.string(), z.int()),
});
export type RunView = z.infer<typeof runViewSchema>;
