import { z } from "zod";
import { idSchema } from "../id/id.ts";
import { durationSchema, nameSchema, toolNameSchema, upstreamNameSchema } from "../registry/name.ts";

/**
 * What is done to calls on purpose. `timeout`: nothing is sent, and nobody answers in time. `error`: nothing is sent, and the answer is
 * a server's failure. `slow`: it answers late. `partial`: half of what it answers is missing. `stale`: a read answers what it answered
 * the first time. `schema-drift`: members of the answer have other names.
 */
export const faultKindSchema = z.enum(["timeout", "error", "slow", "partial", "stale", "schema-drift"]);
export type FaultKind = z.infer<typeof faultKindSchema>;

/** One fault to inject: where, what, how often, how long and why. */
export const addFaultSchema = z.strictObject({
  environment: nameSchema,
  upstream: upstreamNameSchema,
  /** The upstream's own name of one tool; without it, all of them. */
  tool: toolNameSchema.optional(),
  kind: faultKindSchema,
  /** So many of a hundred calls. */
  percent: z.int().min(1).max(100).default(100),
  /** Of `slow`: how much later it answers. Milliseconds. */
  delayMs: z.int().min(1).max(600_000).default(2_000),
  /** It ends by itself after this; at most a day. */
  for: durationSchema.default("PT10M"),
  reason: z.string().trim().min(1, "say why, in a few words").max(500),
});
export type AddFault = z.infer<typeof addFaultSchema>;

/** `waiting`: for the second person that production takes. Only an `active` one does anything. */
export const faultStateSchema = z.enum(["waiting", "active", "expired", "removed"]);
export type FaultState = z.infer<typeof faultStateSchema>;

/** A fault as it stands. `waiting`: it is for production, and a second person has not confirmed it yet; it does nothing. */
export const faultViewSchema = z.object({
  id: idSchema("fault"),
  state: faultStateSchema,
  environment: z.string(),
  upstream: z.string(),
  tool: z.string().nullable(),
  kind: faultKindSchema,
  percent: z.int(),
  delayMs: z.int(),
  reason: z.string(),
  addedBy: z.string(),
  addedAt: z.string(),
  confirmedBy: z.string().nullable(),
  /** When it ends by itself; null while it waits. */
  expiresAt: z.string().nullable(),
});
export type FaultView = z.infer<typeof faultViewSchema>;
