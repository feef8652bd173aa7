import type { DelayGroup, EntryGroup } from "./tally.ts";

export type Tallied = { metric: string; labels: string; value: number };

/** Counting what the ledger holds. */
export type TallyStore = {
  /** How many entries are counted, and how many are under a checkpoint. */
  extent(): Promise<{ counted: number; size: number }>;
  /** The entries from one place up to another, by what they count for. */
  groups(from: number, to: number): Promise<{ entries: EntryGroup[]; delays: DelayGroup[] }>;
  /** Adds what was counted and moves on. False: somebody else has counted these, and nothing was added. */
  add(from: number, to: number, tallies: readonly Tallied[]): Promise<boolean>;
  /** All counts, as of one place. */
  all(): Promise<{ counted: number; tallies: Tallied[] }>;
};
