import type { EntryType, DeadLetter, WebhookAttempt } from "@remit/contract";
import type { Queryable, Transaction } from "../database/database.ts";

export type StoredWebhook = {
  id: string;
  url: string;
  description: string;
  types: EntryType[] | null;
  agent: string | null;
  state: "active" | "paused" | "disabled";
  reason: string | null;
  createdBy: string;
  createdAt: Date;
  place: number;
  failures: number;
  probeAt: Date | null;
  lastSuccessAt: Date | null;
  lastFailureAt: Date | null;
};

export type WebhookCounts = { waiting: number; dead: number };

export type StoredWebhookSecret = { version: number; sealed: Buffer; createdAt: Date; endsAt: Date | null };

/** An event that an endpoint has not taken yet. */
export type WaitingDelivery = { seq: number; entryId: string; type: string; lane: string; attempts: number; firstAt: Date };

export type AttemptRow = Omit<WebhookAttempt, "event" | "at"> & { entryId: string; at: Date };

/** What came of one pass over an endpoint. All of it is written, or nothing. */
export type Settlement = {
  place: number;
  attempts: readonly AttemptRow[];
  /** Places of rows that were taken. */
  taken: readonly number[];
  /** Events that stay: failed ones, and those behind them. */
  left: readonly (WaitingDelivery & {
    state: "waiting" | "dead";
    dueAt: Date;
    lastAt: Date;
    status: number | null;
    reason: string | null;
  })[];
  failures: number;
  probeAt: Date | null;
  lastSuccessAt: Date | null;
  lastFailureAt: Date | null;
};

export type Held = StoredWebhook & { epoch: string };

/** Endpoints and what they have not taken yet. */
export type WebhookStore = {
  insert(transaction: Transaction, webhook: StoredWebhook): Promise<void>;
  count(on: Queryable): Promise<number>;
  get(on: Queryable, id: string): Promise<StoredWebhook | null>;
  list(on: Queryable, page: { after: string | null; limit: number }): Promise<StoredWebhook[]>;
  counts(on: Queryable, ids: readonly string[]): Promise<Map<string, WebhookCounts>>;
  /** Holds one until the end of the transaction. Whoever delivers to it stops: what it has in hand it cannot settle. */
  takeAway(transaction: Transaction, id: string): Promise<StoredWebhook | null>;
  setState(transaction: Transaction, id: string, state: StoredWebhook["state"], reason: string | null): Promise<void>;
  /** Goes on from this place; what waits from there on is sent from the ledger again. */
  setPlace(transaction: Transaction, id: string, place: number): Promise<void>;
  remove(transaction: Transaction, id: string): Promise<void>;
  /** Puts one event among those that wait, to be sent at once. */
  putWaiting(transaction: Transaction, id: string, delivery: WaitingDelivery): Promise<void>;
  /** Dead letters wait again. How many there were. */
  revive(transaction: Transaction, id: string, entryId: string | null, at: Date): Promise<number>;
  /** Everything that waits is due at once. */
  hurry(transaction: Transaction, id: string, at: Date): Promise<void>;
  /** The place of an entry that has one. */
  placeOfEntry(on: Queryable, entryId: string): Promise<number | null>;
  deadLetters(on: Queryable, id: string, page: { after: number | null; limit: number }): Promise<DeadLetter[]>;
  attempts(on: Queryable, id: string, page: { before: string | null; limit: number }): Promise<(WebhookAttempt & { id: string })[]>;

  insertSecret(transaction: Transaction, id: string, secret: StoredWebhookSecret & { createdBy: string }): Promise<void>;
  /** Gives the secrets before this version an end. */
  endSecrets(transaction: Transaction, id: string, before: number, at: Date): Promise<void>;
  /** Those in force, the newest first. */
  secrets(on: Queryable, id: string, at: Date): Promise<StoredWebhookSecret[]>;

  /** Takes endpoints that nobody delivers to. */
  claim(on: Queryable, holder: string, leaseMs: number, limit: number): Promise<Held[]>;
  /** The endpoint as it is now, if it is still held; null: somebody else has it, or it is not to be delivered to. */
  renew(on: Queryable, id: string, epoch: string, leaseMs: number): Promise<Held | null>;
  release(on: Queryable, id: string, epoch: string): Promise<void>;
  /** Lanes that have something waiting, and how much waits in all. */
  lanes(on: Queryable, id: string): Promise<{ lanes: Set<string>; waiting: number }>;
  /** Lanes whose first event is due, each with its next events in order. */
  due(on: Queryable, id: string, at: Date, limits: { lanes: number; each: number }): Promise<WaitingDelivery[][]>;
  /** When the next one is due. */
  nextDue(on: Queryable, id: string): Promise<Date | null>;
  /** False: somebody else holds it, and nothing was written. */
  settle(transaction: Transaction, id: string, epoch: string, settlement: Settlement): Promise<boolean>;
  /** Forgets what is older. */
  prune(on: Queryable, before: { attempts: Date; dead: Date; secrets: Date }): Promise<void>;
};
