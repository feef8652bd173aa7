import { z } from "zod";
import { ledgerEventSchema, recordedEventSchema } from "./event.ts";
import { anchorSummarySchema } from "./verdict.ts";

/** A payload as it is shown. `erased`: its subject's key is gone. `damaged`: it no longer opens as what was recorded. */
export const shownPayloadSchema = z.object({
  state: z.enum(["open", "erased", "damaged"]),
  value: z.record(z.string(), z.unknown()).nullable(),
});
export type ShownPayload = z.infer<typeof shownPayloadSchema>;

/** An entry with what it refers to. */
export const shownEntrySchema = recordedEventSchema.extend({ payloads: z.record(z.string(), shownPayloadSchema) });
export type ShownEntry = z.infer<typeof shownEntrySchema>;

const storyEntrySchema = z.object({ seq: z.int().nullable(), id: z.string(), type: z.string(), at: z.string(), actor: z.string() });

/** One time that policy was asked about an action. An approved action is decided again when it runs. */
export const storyDecisionSchema = z.object({
  verdict: z.enum(["allow", "require-approval", "deny"]),
  at: z.string(),
  seq: z.int().nullable(),
  code: z.string().nullable(),
  reason: z.string().nullable(),
  policies: z.array(z.string()),
  /** The digest of the policy set that decided. */
  policyDigest: z.string().nullable(),
  /** What was counted, and when it was, where policy reads any count; else null, for the policies and the arguments say it all. */
  facts: z.record(z.string(), z.unknown()).nullable(),
  obligations: z.array(z.unknown()),
  approvals: z.array(z.unknown()),
  shadow: z.array(z.unknown()),
});
export type StoryDecision = z.infer<typeof storyDecisionSchema>;

/** A request for approval, and everything that people did about it, in order. */
export const storyApprovalSchema = z.object({
  id: z.string(),
  /** `pending`, or how it stands: the last of granted, denied, expired, cancelled, consumed, stale. */
  state: z.string(),
  requestedAt: z.string().nullable(),
  reason: z.string().nullable(),
  digest: z.string().nullable(),
  requirements: z.array(z.unknown()),
  votes: z.array(
    z.object({ by: z.string(), vote: z.string(), at: z.string(), seq: z.int().nullable(), comment: shownPayloadSchema.nullable() }),
  ),
  entries: z.array(storyEntrySchema),
});
export type StoryApproval = z.infer<typeof storyApprovalSchema>;

/** One action, from its attempt to its end. */
export const storyActionSchema = z.object({
  id: z.string(),
  runId: z.string().nullable(),
  /** Where it is: `waiting`, `executing`, or the way in which it ended. */
  state: z.string(),
  tool: z.string().nullable(),
  effect: z.string().nullable(),
  environment: z.string().nullable(),
  agent: z.string().nullable(),
  version: z.string().nullable(),
  accountable: z.string().nullable(),
  policy: z.string().nullable(),
  /** The digest of the action: what an approval is bound to. */
  digest: z.string().nullable(),
  traceId: z.string().nullable(),
  startedAt: z.string(),
  endedAt: z.string().nullable(),
  /** What the agent asked for, and what it was given back. */
  arguments: shownPayloadSchema.nullable(),
  result: shownPayloadSchema.nullable(),
  decisions: z.array(storyDecisionSchema),
  approvals: z.array(storyApprovalSchema),
  outcome: z
    .object({
      type: z.string(),
      at: z.string(),
      seq: z.int().nullable(),
      code: z.string().nullable(),
      reason: z.string().nullable(),
      durationMs: z.number().nullable(),
      /** How often it was sent, or tried to be. */
      attempts: z.int(),
      /** Kinds of faults that people had it meet on purpose: it says nothing of how its upstream was. */
      injected: z.array(z.string()),
    })
    .nullable(),
  entries: z.array(storyEntrySchema),
});
export type StoryAction = z.infer<typeof storyActionSchema>;

/** What an agent saw and did, reconstructed from the ledger alone, in order. */
export const storySchema = z.object({
  /** What was asked for: a run, an action, an approval, an entry or a trace. */
  id: z.string(),
  runs: z.array(z.string()),
  agents: z.array(z.string()),
  traceIds: z.array(z.string()),
  startedAt: z.string(),
  endedAt: z.string(),
  actions: z.array(storyActionSchema),
  /** Entries of no action: the run's start and end, its item, its tokens. */
  others: z.array(z.object({ seq: z.int().nullable(), event: ledgerEventSchema })),
  /** How many of its entries are under a signed checkpoint, and how many wait for it. */
  entries: z.object({ sequenced: z.int(), pending: z.int() }),
  /** True: there are more entries than are shown. */
  truncated: z.boolean(),
});
export type Story = z.infer<typeof storySchema>;

/** Proof that an entry is in the ledger, to be kept by whoever wants to hold it against us. */
export const receiptSchema = z.object({
  seq: z.int(),
  /** The exact text that is hashed: the leaf is SHA-256 over 0x00 and these bytes. */
  body: z.string(),
  /** Sibling hashes, base64, from the leaf up (RFC 6962). */
  proof: z.array(z.string()),
  /** The signed note whose root the proof leads to. */
  checkpoint: z.string(),
});
export type Receipt = z.infer<typeof receiptSchema>;

/** The last checkpoint, and who has seen which one. */
export const checkpointViewSchema = z.object({
  size: z.int(),
  root: z.string(),
  /** Signed by the ledger and by every witness that has seen this very size. */
  note: z.string(),
  at: z.string(),
  anchor: anchorSummarySchema,
});
export type CheckpointView = z.infer<typeof checkpointViewSchema>;
