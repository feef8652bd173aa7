import type { AssetVersion, ToolHead } from "@remit/core";
import type { Queryable, Transaction } from "../database/database.ts";

/** What the database says is in force. */
export type StoredRegistry = {
  /** Rises with every apply, drift and acceptance. */
  generation: number;
  revision: { number: number; digest: string; appliedBy: string; appliedAt: Date } | null;
  versions: AssetVersion[];
  /** By qualified name. */
  heads: Map<string, ToolHead>;
};

export type NewRevision = {
  number: number;
  digest: string;
  plan: string;
  versions: readonly AssetVersion[];
  appliedBy: string;
  appliedAt: Date;
};

/** The registry's tables. Everything that changes something wants the lock of the head to be held. */
export type RegistryStore = {
  generation(database: Queryable): Promise<number>;
  load(database: Queryable): Promise<StoredRegistry>;
  /** Takes the one lock under which the registry changes, and says which generation it found. */
  lock(transaction: Transaction): Promise<number>;
  addVersions(transaction: Transaction, versions: readonly AssetVersion[]): Promise<void>;
  addRevision(transaction: Transaction, revision: NewRevision): Promise<void>;
  /** Sets these tools' heads; with `only`, every other tool's head is forgotten. */
  setHeads(transaction: Transaction, heads: ReadonlyMap<string, ToolHead>, options?: { only: boolean }): Promise<void>;
  /** Raises the generation. */
  advance(transaction: Transaction): Promise<void>;
};
