import type { HaltMode, HaltScope } from "@remit/contract";
import type { Queryable, Transaction } from "../database/database.ts";

export type StoredHalt = {
  id: string;
  mode: HaltMode;
  scope: HaltScope;
  reason: string;
  engagedBy: string;
  engagedAt: Date;
  releaseRequestedBy: string | null;
  /** Who made the login of whoever asked for the release. */
  releaseRequestedLink: string | null;
  releasedAt: Date | null;
};

/** Where halts are kept. */
export type HaltStore = {
  insert(transaction: Transaction, halt: StoredHalt): Promise<void>;
  inForce(on: Queryable): Promise<StoredHalt[]>;
  /** Holds one until the end of the transaction. */
  lock(transaction: Transaction, id: string): Promise<StoredHalt | null>;
  requestRelease(transaction: Transaction, id: string, by: { party: string; link: string; reason: string }): Promise<void>;
  release(transaction: Transaction, id: string, by: string, at: Date): Promise<void>;
};
