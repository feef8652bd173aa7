import type { Queryable, Transaction } from "../database/database.ts";
import type { LeaseScope, StoredLease, Undo } from "./leases.ts";

/** Where leases are kept. */
export type LeaseStore = {
  insert(transaction: Transaction, lease: StoredLease): Promise<void>;
  /** Moves the end of a lease that lives; false when it does not. */
  extend(on: Queryable, id: string, expiresAt: Date): Promise<boolean>;
  end(on: Queryable, id: string, at: Date, reason: string): Promise<void>;
  endScope(transaction: Transaction, scope: LeaseScope, at: Date, reason: string): Promise<string[]>;
  /** Ends what has run out. */
  endDue(on: Queryable, at: Date): Promise<number>;
  /** Why those of these that have ended did. */
  ended(on: Queryable, ids: readonly string[]): Promise<Map<string, string>>;
  addUndo(on: Queryable, id: string, undo: Undo): Promise<void>;
  /** An ended lease of which something is left, held until the end of the transaction; null when there is none that nobody holds. */
  takeUndo(transaction: Transaction, at: Date): Promise<{ id: string; undo: Undo[]; attempts: number } | null>;
  /** `undo`: what is left still, to be tried again after `after`. */
  leaveUndo(on: Queryable, id: string, undo: readonly Undo[], after: Date): Promise<void>;
  forget(on: Queryable, endedBefore: Date): Promise<number>;
  list(on: Queryable, page: { live: boolean; before: string | null; limit: number }): Promise<StoredLease[]>;
};
