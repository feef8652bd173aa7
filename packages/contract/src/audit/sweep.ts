import { z } from "zod";

/** How bad a finding is: `high` should not wait, `medium` is for the next review, `low` is worth knowing. */
export const sweepLevelSchema = z.enum(["high", "medium", "low"]);
export type SweepLevel = z.infer<typeof sweepLevelSchema>;

/** One thing about one asset that a reviewer would remark on. */
export const sweepFindingSchema = z.object({
  level: sweepLevelSchema,
  /** Which check, a word of the closed list in docs/audit.md. */
  check: z.string(),
  kind: z.string(),
  name: z.string(),
  what: z.string(),
  /** What to do about it. */
  todo: z.string(),
});
export type SweepFinding = z.infer<typeof sweepFindingSchema>;

/** Every asset of the registry in force, looked at by every check that is for its kind. */
export const sweepReportSchema = z.object({
  /** The registry that was looked at. */
  registry: z.string(),
  at: z.string(),
  /** How many assets of each kind were looked at. */
  assets: z.record(z.string(), z.int()),
  /** How many answers that were, findings and not. */
  checks: z.int(),
  findings: z.array(sweepFindingSchema),
  /** False where a finding is `high`. */
  ok: z.boolean(),
});
export type SweepReport = z.infer<typeof sweepReportSchema>;

/** One halt from its command to its end, as the ledger has it: the evidence that the switch works, in earnest or in a drill. */
export const haltRecordSchema = z.object({
  haltId: z.string(),
  seq: z.int(),
  mode: z.string(),
  scope: z.string(),
  reason: z.string(),
  engagedBy: z.string(),
  engagedAt: z.string(),
  releaseRequestedBy: z.string().nullable(),
  releasedBy: z.string().nullable(),
  releasedAt: z.string().nullable(),
  lastedSeconds: z.number().nullable(),
  /** While it was in force: actions that were stopped in flight, attempts that were denied, and executions that began (of what it did not cover). */
  stopped: z.int(),
  denied: z.int(),
  began: z.int(),
});
export type HaltRecord = z.infer<typeof haltRecordSchema>;
