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

/** What one server says of a halt that it has applied. */
export type HaltConfirmation = { instance: string; name: string; sinceLastStartMs: number | null; cancelled: number };

/** Milliseconds since the command, by the database's clock. `isLater`: the server was started when the halt was in force already. */
export type ConfirmedHalt = {
  haltId: string;
  instance: string;
  confirmedMs: number;
  lastStartMs: number | null;
  cancelled: number;
  isLater: boolean;
};

/** Where halts are kept. */
export type HaltStore = {
  /** `sinceCommandMs`: how long ago the command came. */
  insert(transaction: Transaction, halt: StoredHalt, sinceCommandMs: number): Promise<void>;
  confirm(on: Queryable, id: string, confirmation: HaltConfirmation): Promise<void>;
  confirmations(on: Queryable, ids: readonly string[]): Promise<ConfirmedHalt[]>;
  /** The servers that are alive, of whatever version. */
  liveServers(on: Queryable): Promise<{ instance: string; name: string }[]>;
  inForce(on: Queryable): Promise<StoredHalt[]>;
  /** Holds one until the end of the transaction. */
  lock(transaction: Transaction, id: string): Promise<StoredHalt | null>;
  requestRelease(transaction: Transaction, id: string, by: { party: string; link: string; reason: string }): Promise<void>;
  release(transaction: Transaction, id: string, by: string, at: Date): Promise<void>;
};
