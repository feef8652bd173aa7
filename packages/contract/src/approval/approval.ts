import { z } from "zod";

/** Where a request is. `granted` is still unused; `consumed` has authorised its one execution; `stale` was granted but policy had changed when it was to run. */
export const approvalStateSchema = z.enum(["pending", "granted", "denied", "expired", "cancelled", "consumed", "stale"]);
export type ApprovalState = z.infer<typeof approvalStateSchema>;

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
  /** The canonical arguments, whole. Never shortened: what is shown is what runs. `null` once erased. */
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
      eligible: z.array(z.string()),
      votes: z.array(z.object({ party: z.string(), vote: z.enum(["approve", "deny"]), at: z.string(), comment: z.string().nullable() })),
    }),
  ),
  requestedAt: z.string(),
  expiresAt: z.string(),
  link: z.string(),
  /** How the action ended, once it has. */
  outcome: z.string().nullable(),
});
export type ApprovalView = z.infer<typeof approvalViewSchema>;
