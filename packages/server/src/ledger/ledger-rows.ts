import type { EntryColumns, Tile } from "@remit/core";

/** The rows of a ledger as they are stored, for whoever checks them. Nothing here is trusted. */
export type LedgerRows = {
  /** How far it goes, in one snapshot. */
  extent(): Promise<Extent>;
  /** Checkpoints of more than `size` entries, in order. */
  checkpointsAfter(size: number, limit: number): Promise<CheckpointRow[]>;
  /** Leaves from `from` up to `to`, not including it, in order. */
  leaves(from: number, to: number): Promise<LeafRow[]>;
  /** The payloads of the entries of these leaves; the ciphertext comes along where it has at most `inline` bytes. */
  payloads(from: number, to: number, inline: number): Promise<PayloadRow[]>;
  ciphertext(entryId: string, name: string): Promise<Buffer | null>;
  /** Full tiles of one level, in order. */
  tiles(level: number, from: number, to: number): Promise<Tile[]>;
  /** Entries that happened before `time` and have no leaf. */
  neverSequenced(time: Date, limit: number): Promise<string[]>;
  /** Payloads of no entry. */
  strayPayloads(limit: number): Promise<{ entryId: string; name: string }[]>;
  /** Entries that say that keys of payloads were destroyed. */
  erasures(): Promise<{ body: Buffer; seq: number | null }[]>;
  /** The public keys that sign checkpoints, SubjectPublicKeyInfo in DER. */
  publicKeys(): Promise<Buffer[]>;
};

export type Extent = { size: number; leaves: number; firstLeaf: number; pending: number; tilesBeyond: number };

export type PayloadRow = { entryId: string; name: string; subject: string; ciphertext: Buffer | null };

export type CheckpointRow = { size: number; root: Buffer; note: string; leaves: Buffer };

export type LeafRow = {
  seq: number;
  entryId: string;
  leafHash: Buffer;
  /** Null: there is no entry of this id. */
  entry: { body: Buffer; columns: Omit<EntryColumns, "at">; atMs: string } | null;
};
