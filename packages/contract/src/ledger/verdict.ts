import { z } from "zod";

/** One thing that is wrong with the ledger. */
export const ledgerProblemSchema = z.object({
  /** The sequence number that it is found at; null for what has none, such as an entry that was never sequenced. */
  seq: z.int().nullable(),
  entryId: z.string().nullable(),
  /** What is wrong, as a sentence. */
  what: z.string(),
});
export type LedgerProblem = z.infer<typeof ledgerProblemSchema>;

/** Who outside has seen which checkpoint. Counted are organisations, by verified signatures of their witnesses alone. */
export const anchorSummarySchema = z.object({
  /** The status as it is to be said: `WITNESSED(2 organisations)`, `UNANCHORED`. */
  words: z.string(),
  organisations: z.array(z.string()),
  /** How many it takes to be called witnessed. */
  quorum: z.int(),
  /** How many entries they have seen; null when nobody has seen any. */
  size: z.int().nullable(),
  /** When the last of those that the quorum needs saw it, by its own clock. */
  at: z.string().nullable(),
});
export type AnchorSummary = z.infer<typeof anchorSummarySchema>;

/** What verifying the ledger found: everything recomputed from its rows. */
export const ledgerVerdictSchema = z.object({
  ok: z.boolean(),
  /** How many entries the last checkpoint signs. */
  size: z.int(),
  /** The root that was recomputed, base64. */
  root: z.string(),
  /** The last checkpoint, a signed note; null for an empty ledger. */
  checkpoint: z.string().nullable(),
  checkpoints: z.int(),
  firstWrong: ledgerProblemSchema.nullable(),
  /** The first hundred, in order. */
  problems: z.array(ledgerProblemSchema),
  problemCount: z.int(),
  /** `opened`: also compared with its commitment; `erased`: its key is gone, which breaks no proof. */
  payloads: z.object({ sealed: z.int(), opened: z.int(), erased: z.int() }),
  /** Entries that are committed and wait for their place. */
  pending: z.int(),
  /**
   * Whether anybody outside keeps a checkpoint. UNANCHORED: whoever holds both the database and the ledger's key, or removes the
   * last entries together with their checkpoints, could rewrite it unseen.
   */
  anchoring: z.enum(["UNANCHORED", "WITNESSED"]),
  /** The newest checkpoint that organisations outside have seen, and that the rows still explain. */
  anchor: anchorSummarySchema,
});
export type LedgerVerdict = z.infer<typeof ledgerVerdictSchema>;
