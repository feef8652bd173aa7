import type { FaultKind, Id } from "@remit/contract";
import type { Queryable, Transaction } from "../database/database.ts";

export type StoredFault = {
  id: Id<"fault">;
  environment: string;
  upstream: string;
  tool: string | null;
  kind: FaultKind;
  percent: number;
  delayMs: number;
  lastsSeconds: number;
  reason: string;
  addedBy: string;
  /** Who made the login of whoever added it. */
  addedLink: string;
  addedAt: Date;
  confirmedBy: string | null;
  expiresAt: Date | null;
  removedAt: Date | null;
};

/** Where faults are kept. */
export type FaultStore = {
  insert(transaction: Transaction, fault: StoredFault): Promise<void>;
  /** Those that are not over at that time: waiting and active. */
  standing(on: Queryable, at: Date): Promise<StoredFault[]>;
  /** The last ones, newest first, whatever became of them. */
  recent(on: Queryable, limit: number): Promise<StoredFault[]>;
  /** Holds one until the end of the transaction. */
  lock(transaction: Transaction, id: string): Promise<StoredFault | null>;
  confirm(transaction: Transaction, id: string, by: string, expiresAt: Date): Promise<void>;
  remove(transaction: Transaction, id: string, by: string, at: Date): Promise<void>;
};
