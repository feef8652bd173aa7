import type { Tile } from "@remit/core";

/** An entry that waits for its place. */
export type PendingEntry = { entryId: string; leafHash: Uint8Array };

export type Pending = {
  /** The rows that name them. */
  serials: string[];
  entries: PendingEntry[];
  /** Names of entries that do not exist. */
  orphans: string[];
};

/** What one batch adds to the ledger: all of it or nothing. */
export type Batch = {
  pending: Pick<Pending, "serials" | "entries">;
  /** The sequence number of its first entry. */
  start: number;
  tiles: readonly Tile[];
  checkpoint: { size: number; root: Uint8Array; note: string };
};

/** What the sequencer reads and writes. Each write says under which epoch; `false`: somebody else sequences now, and nothing was written. */
export type SequenceStore = {
  /** Takes the lease if nobody else holds it. The new epoch, or null. */
  takeOver(holder: string, leaseMs: number): Promise<string | null>;
  renew(epoch: string, leaseMs: number): Promise<boolean>;
  release(epoch: string): Promise<void>;
  /** The oldest pending entries: about so many, since what was appended together is sequenced together. */
  pending(limit: number): Promise<Pending>;
  write(epoch: string, leaseMs: number, batch: Batch): Promise<boolean>;
  discard(serials: readonly string[]): Promise<void>;
  /** Makes pending again what is neither sequenced nor pending. How many there were. */
  repair(): Promise<number>;
  /** The newest serial that waits; null when nothing does. */
  newest(): Promise<string | null>;
  isPendingUpTo(serial: string): Promise<boolean>;
};
