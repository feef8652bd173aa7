import type { Transaction } from "../database/database.ts";

/** A set of keys as it is stored. */
export type StoredKeySet = { version: number; keys: string; entryId: string; code: Buffer; at: Date; seq: number | null };

export type LedgerKeyStore = {
  /** From the first. */
  sets(): Promise<StoredKeySet[]>;
  /** False when another server has stored that version. */
  add(transaction: Transaction, set: Omit<StoredKeySet, "at" | "seq">): Promise<boolean>;
  /** Ends the lease of whoever sequences: what is signed after the commit is signed by whoever reads the new set. */
  fence(transaction: Transaction): Promise<void>;
};
