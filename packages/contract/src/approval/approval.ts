import { z } from "zod";
import { digestSchema } from "../id/id.ts";
import { nameSchema } from "../registry/name.ts";

/**
 * Where a request is. `granted` is still unused; `consumed` has authorised its one execution; `stale` was granted but policy had changed
 * when it was to run; a grant that is not used in time becomes `expired`.
 */
export const approvalStateSchema = z.enum(["pending", "granted", "denied", "expired", "cancelled", "consumed", "stale"]);
export type ApprovalState = z.infer<typeof approvalStateSchema>;

const voteWordSchema = z.enum(["approve", "deny"]);

/** A request for approval as people see it. Everything that they need to decide, and exactly what would run. */
export const approvalViewSchema = z.object({
  id: z.string(),
  state: approvalStateSchema,
  actionId: z.string(),
  /** SHA-256 over the canonical action; what a grant is bound to. */
  digest: z.string(),
  tool: z.string(),
  effect: z.enum(["read", "propose", "write"]),
  reversibility: z.enum(["none", "compensable", "reversible"]),
  environment: z.string(),
  /** The canonical arguments, whole. Never shortened: what is shown is what runs. `null` once erased, or where the reader may not see them. */
  arguments: z.record(z.string(), z.unknown()).nullable(),
  agent: z.string(),
  accountable: z.string(),
  runId: z.string().nullable(),
  /** What the run was working on, as the agent's context for the person. */
  subject: z.string().nullable(),
  reason: z.string(),
  gates: z.array(z.string()),
  /** Each team that must agree, with its quorum and who has said what. */
  teams: z.array(
    z.object({
      team: z.string(),
      quorum: z.int(),
      /** Teams that were asked besides, because nobody answered in time; their members are among the eligible. */
      escalatedTo: z.array(z.string()),
      eligible: z.array(z.string()),
      votes: z.array(z.object({ party: z.string(), vote: voteWordSchema, at: z.string(), comment: z.string().nullable() })),
    }),
  ),
  /** Votes that were handed on: `to` decides in place of `from`. */
  delegations: z.array(z.object({ from: z.string(), to: z.string(), at: z.string() })),
  requestedAt: z.string(),
  expiresAt: z.string(),
  /** When it was granted, denied, cancelled or expired. */
  decidedAt: z.string().nullable(),
  /** Why it ended, where somebody or something said why. */
  endedReason: z.string().nullable(),
  link: z.string(),
  /** How the action ended, once it has. */
  outcome: z.string().nullable(),
  /** What the reader may do with it now, and has said already. */
  you: z.object({ mayVote: z.boolean(), mayDelegate: z.boolean(), mayCancel: z.boolean(), vote: voteWordSchema.nullable() }),
});
export type ApprovalView = z.infer<typeof approvalViewSchema>;

const wordsSchema = z.string().trim().min(1).max(2_000);

/** One person's decision on exactly what was shown. */
export const voteSchema = z.strictObject({
  vote: voteWordSchema,
  /** The digest of the view that was shown. */
  digest: digestSchema,
  comment: wordsSchema.optional(),
});
export type VoteInput = z.infer<typeof voteSchema>;

/** Handing one's vote on a request to somebody else. */
export const delegateSchema = z.strictObject({ to: nameSchema });

/** Withdrawing a request. */
export const cancelSchema = z.strictObject({ reason: wordsSchema });
