/** What an export asks of the ledger's rows beside their pages. */
export type ExportStore = {
  /** The places of the first and the last entry that happened from `from` on and before `to`; null where there is none. */
  placesBetween(from: Date | null, to: Date | null): Promise<{ first: number; last: number } | null>;
  /** Checkpoints of more than `after` and at most `upTo` entries, in order; thinned out evenly to about `most`. */
  checkpoints(after: number, upTo: number, most: number): Promise<{ size: number; note: string }[]>;
};
