import type { Queryable, Transaction } from "../database/database.ts";

/** A payload that is kept beyond its schedule, because somebody it is about is held. */
export type HeldPayload = { entryId: string; name: string; reference: string };

/** Where it is kept what is due. */
export type RetentionStore = {
  /** The names of all keys of days. */
  keptKeys(on: Queryable): Promise<string[]>;
  /** How many payloads each key has a share in, and how many of them are held. */
  counts(on: Queryable, keys: readonly string[]): Promise<ReadonlyMap<string, { payloads: number; held: number }>>;
  /** Whether a hold of everything is in force, by its name. */
  heldAltogether(on: Queryable): Promise<string | null>;
  /** Payloads under any of the keys that are held and whose own keys have not been put aside yet. */
  toPutAside(on: Queryable, keys: readonly string[]): Promise<HeldPayload[]>;
  putAside(transaction: Transaction, payloads: readonly { entryId: string; name: string; wrapped: Buffer }[]): Promise<void>;
  /** How many. @throws RemitError `conflict` where what is held has not been put aside */
  purge(transaction: Transaction, keys: readonly string[]): Promise<number>;
  /** How many rows of each table ended before. */
  countRows(on: Queryable, before: Date): Promise<Record<string, number>>;
  purgeRows(transaction: Transaction, before: Date, most: number): Promise<Record<string, number>>;
  /** Only one server at a time. False: another is at it. */
  claim(transaction: Transaction): Promise<boolean>;
};
