import type { Id } from "@remit/contract";
import type { Queryable, Transaction } from "../database/database.ts";

/** The key of a subject as the ledger names it. `sealed`: the subject's own name, for its key alone; null for the key of a run, agent or queue. */
export type StoredSubject = { key: string; sealed: Buffer | null; wrapped: Buffer; firstSeenAt: Date };

export type StoredHold = {
  id: string;
  name: string;
  reason: string;
  /** Null: everything is held. */
  key: string | null;
  placedBy: string;
  placedAt: Date;
  releaseRequestedBy: string | null;
  releaseRequestedLink: string | null;
  releasedAt: Date | null;
};

/** A sealed payload as it lies there. */
export type StoredPayload = { entryId: string; name: string; reference: string };
export type StoredEntry = { id: string; seq: number | null; body: Buffer };

/** What an erasure would reach. Of `requests`, `approvals` are those that still wait or can still be used. */
export type Reach = {
  payloads: number;
  shared: number;
  entries: number;
  approvals: Id<"approval">[];
  requests: Id<"approval">[];
  items: string[];
};

/** Where it is kept whose keys there are, and what they seal. */
export type PrivacyStore = {
  byLookup(on: Queryable, lookup: Buffer): Promise<StoredSubject | null>;
  byKey(on: Queryable, key: string): Promise<StoredSubject | null>;
  subjects(on: Queryable, page: { after: string | null; limit: number }): Promise<StoredSubject[]>;
  reach(on: Queryable, key: string): Promise<Reach>;
  /** Everything that has a payload under the key, and everything about the same actions, oldest first. */
  entries(on: Queryable, key: string, page: { after: string | null; limit: number }): Promise<StoredEntry[]>;
  payloadsOf(on: Queryable, entryIds: readonly string[]): Promise<StoredPayload[]>;
  /** @returns false where there was no such key. @throws RemitError `conflict` where it is held */
  erase(transaction: Transaction, key: string): Promise<boolean>;
  emptyItems(transaction: Transaction, items: readonly string[]): Promise<void>;
  /** Takes what people wrote when they voted out of these requests' rows. */
  emptyCommentsAbout(transaction: Transaction, requests: readonly string[]): Promise<void>;
  emptyComments(transaction: Transaction, party: string): Promise<void>;

  /** Entries of these types, newest first. */
  requests(
    on: Queryable,
    page: { types: readonly string[]; before: string | null; limit: number },
  ): Promise<{ id: string; body: Buffer }[]>;

  insertHold(transaction: Transaction, hold: StoredHold): Promise<void>;
  lockHold(transaction: Transaction, idOrName: string): Promise<StoredHold | null>;
  requestRelease(transaction: Transaction, id: string, by: { party: string; link: string; reason: string }): Promise<void>;
  release(transaction: Transaction, id: string, by: string, at: Date): Promise<void>;
  holds(on: Queryable, page: { all: boolean; after: string | null; limit: number }): Promise<StoredHold[]>;
  /** The holds that stand against erasing a key: of everything, of its subject, or of somebody with whom it shares a payload. */
  holdsAgainst(on: Queryable, key: string): Promise<StoredHold[]>;
  dropHeldKeys(transaction: Transaction): Promise<number>;
};
