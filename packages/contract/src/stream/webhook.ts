import { z } from "zod";
import { idSchema } from "../id/id.ts";
import { durationSchema } from "../registry/name.ts";
import { entryTypes } from "../ledger/entry.ts";

/** Where events are sent to. `https:`, and what the server may reach: the same rules hold for whatever people point Remit to. */
const webhookUrlSchema = z
  .url({ protocol: /^https?$/, error: "expected an absolute https URL" })
  .max(2_000)
  .regex(/^https?:\/\/[^/?#@]+([/?][^#]*)?$/i, "leave out user name, password and fragment; what is sent is signed");

/** An endpoint to add. Without `types` and `agent`: everything. */
export const addWebhookSchema = z.strictObject({
  url: webhookUrlSchema,
  description: z.string().trim().max(300).default(""),
  types: z.array(z.enum(entryTypes)).min(1).nullable().default(null),
  agent: z.string().min(1).max(64).nullable().default(null),
  /** The place of the first event to send; null: what happens from now on. */
  from: z.int().min(0).nullable().default(null),
});
export type AddWebhook = z.infer<typeof addWebhookSchema>;

/** `disabled`: the endpoint has said 410, or somebody has to look; it is resumed like one that is paused. */
export const webhookStateSchema = z.enum(["active", "paused", "disabled"]);

/** One endpoint. Its secret is shown when it is made, and never again. */
export const webhookViewSchema = z.object({
  id: z.string(),
  url: z.string(),
  description: z.string(),
  types: z.array(z.string()).nullable(),
  agent: z.string().nullable(),
  state: webhookStateSchema,
  reason: z.string().nullable(),
  createdBy: z.string(),
  createdAt: z.string(),
  /** The place of the next event that was not looked at yet. */
  place: z.int(),
  /** How many entries the ledger has beyond that place. */
  behind: z.int(),
  /** Events that wait to be sent again, and those of the same runs behind them. */
  waiting: z.int(),
  deadLetters: z.int(),
  /** Failures since the last success. */
  failures: z.int(),
  lastSuccessAt: z.string().nullable(),
  lastFailureAt: z.string().nullable(),
  /** Secrets that sign now: two while one takes over from another. */
  secrets: z.array(z.object({ version: z.int(), createdAt: z.string(), endsAt: z.string().nullable() })),
  /** For `v1a` signatures: the public key that they verify with, as `whpk_` and base64. */
  publicKey: z.string(),
});
export type WebhookView = z.infer<typeof webhookViewSchema>;

/** An endpoint together with a secret that was just made: `whsec_` and base64. */
export const webhookWithSecretSchema = z.object({ webhook: webhookViewSchema, secret: z.string() });
export type WebhookWithSecret = z.infer<typeof webhookWithSecretSchema>;

/** Replacing the secret with which events are signed. */
export const rotateWebhookSecretSchema = z.strictObject({
  /** How long the secret before goes on signing beside the new one. */
  overlap: durationSchema.default("PT24H"),
});

/** Sending again after a pause. */
export const resumeWebhookSchema = z.strictObject({
  /** Go on with what happens from now on, and leave out what happened meanwhile. */
  fromNow: z.boolean().default(false),
});

/** Send again: everything from a place on, or one event. */
export const replayWebhookSchema = z.union([z.strictObject({ from: z.int().min(0) }), z.strictObject({ event: idSchema("entry") })]);
export type ReplayWebhook = z.infer<typeof replayWebhookSchema>;

/** One time that an event was sent, or tried to be. */
export const webhookAttemptSchema = z.object({
  event: z.string(),
  sequence: z.int(),
  type: z.string(),
  at: z.string(),
  /** Which attempt it was, from 1. */
  attempt: z.int(),
  delivered: z.boolean(),
  /** What the endpoint answered; null where it did not. */
  status: z.int().nullable(),
  reason: z.string().nullable(),
  durationMs: z.int(),
});
export type WebhookAttempt = z.infer<typeof webhookAttemptSchema>;

/** An event that was given up. */
export const deadLetterSchema = z.object({
  event: z.string(),
  sequence: z.int(),
  type: z.string(),
  run: z.string().nullable(),
  attempts: z.int(),
  firstAt: z.string(),
  lastAt: z.string(),
  status: z.int().nullable(),
  reason: z.string().nullable(),
});
export type DeadLetter = z.infer<typeof deadLetterSchema>;

/** What came of sending an event that says nothing. */
export const webhookTestSchema = z.object({
  delivered: z.boolean(),
  status: z.int().nullable(),
  reason: z.string().nullable(),
  durationMs: z.int(),
});
