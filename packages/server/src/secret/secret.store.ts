import type { Queryable, Transaction } from "../database/database.ts";

export type StoredVersion = { path: string; version: number; sealed: Buffer; createdAt: Date; createdBy: string; destroyAt: Date | null };

/** Where sealed secrets are kept. */
export type SecretStore = {
  /** The number of a new version, held until the end of the transaction. */
  nextVersion(transaction: Transaction, path: string): Promise<number>;
  insert(transaction: Transaction, version: Omit<StoredVersion, "destroyAt">): Promise<void>;
  /** Gives every version before this one an end. */
  supersede(transaction: Transaction, path: string, version: number, destroyAt: Date): Promise<void>;
  /** Destroys all versions; how many there were. */
  remove(transaction: Transaction, path: string): Promise<number>;
  /** Destroys what nobody may use any more. */
  destroyDue(on: Queryable, at: Date): Promise<number>;
  /** The version that new leases get, or null. */
  newest(on: Queryable, path: string): Promise<StoredVersion | null>;
  /** The newest version's number of each of these paths that has one. */
  newestOf(on: Queryable, paths: readonly string[]): Promise<Map<string, number>>;
  /** All versions of one, from the newest on. */
  versions(on: Queryable, path: string): Promise<Omit<StoredVersion, "sealed">[]>;
  /** All versions, without what is sealed, by path and from the newest on. */
  list(on: Queryable, page: { after: string | null; limit: number }): Promise<Omit<StoredVersion, "sealed">[]>;
};
