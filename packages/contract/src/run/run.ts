import { z } from "zod";
import { nameSchema } from "../registry/name.ts";
import { containmentSchema, sandboxSpecSchema } from "../sandbox/sandbox.ts";
import { claimedItemSchema, lineSchema } from "./queue.ts";

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
  /** Tools of the agent, by qualified or own name, that wait for the workflow's approvers whatever policy says. */
  requireApproval: z.array(z.string().min(1)).max(200).default([]),
  serviceName: z.string().max(200).optional(),
  traceparent: z.string().max(100).optional(),
});
export type StartRun = z.infer<typeof startRunSchema>;

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

/** What starting a run answers: everything that its agent's program needs, or that there is nothing to do. */
export const startedRunSchema = z.union([
  z.object({
    run: runViewSchema,
    token: z.string(),
    tokenExpiresAt: z.string(),
    mcpUrl: z.string(),
    /** The workflow's program; `cwd` is relative to the root of the registry. */
    agent: z.object({
      command: z.array(z.string()).min(1),
      cwd: z.string().nullable(),
      sandbox: sandboxSpecSchema.nullable().default(null),
    }),
    item: claimedItemSchema.nullable(),
  }),
  z.object({ run: z.null(), reason: z.literal("queue-empty") }),
]);
export type StartedRun = z.infer<typeof startedRunSchema>;

/** A fresh token of a run. `tokenExpiresAt` is when it has to have been renewed: the run is lost, and its work given back, when it was not. */
export const runTokenSchema = z.object({ token: z.string(), tokenExpiresAt: z.string() });
export type RunToken = z.infer<typeof runTokenSchema>;

/** How the program that followed a run says that it ended. */
export const endRunSchema = z.strictObject({
  outcome: z.enum(["completed", "failed", "cancelled", "stopped-at-limit"]),
  reason: lineSchema.max(1_000),
  /** How it started its agent's program, as it says. */
  containment: containmentSchema.optional(),
});
export type EndRun = z.infer<typeof endRunSchema>;
