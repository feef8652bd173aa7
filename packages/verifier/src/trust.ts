import type { NoteKey, WitnessPolicy } from "@remit/core";

/** What the person who verifies knows from somewhere else than the bundle. */
export type Trust = {
  /** Keys of the ledger. Without any, the bundle's own are used, and nothing can be said to be in order. */
  keys: readonly NoteKey[];
  /** Keys that no longer sign, by their verifier key strings: the sequence number of the entry that retired each. */
  retired?: ReadonlyMap<string, number>;
  policy: Pick<WitnessPolicy, "witnesses" | "witnessedBy" | "quorum"> | null;
  /** Checkpoints that were kept: signed notes. */
  kept: readonly string[];
  allowUnanchored: boolean;
};
