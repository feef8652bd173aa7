import type { Id, ItemState, JsonObject } from "@remit/contract";
import type { Queryable, Transaction } from "../database/database.ts";

/** A piece of work as its row has it. */
export type StoredItem = {
  id: Id<"item">;
  queue: string;
  state: ItemState;
  subject: string;
  /** Empty where it is read from {@link payloadEntry}. */
  payload: JsonObject;
  /** The entry whose payload `item` holds it; null in rows of before, which hold it themselves. */
  payloadEntry: Id<"entry"> | null;
  key: string | null;
  attempts: number;
  /** How many runs may claim it, as of the last claim. */
  maxAttempts: number;
  runId: Id<"run"> | null;
  enqueuedBy: string;
  enqueuedAt: Date;
  endedAt: Date | null;
};

export type ItemQuery = { queue: string; state: ItemState | null; before: string | null; limit: number };

/** Where queues are kept. */
export type QueueStore = {
  /** Lets nobody else add to the queue until the transaction ends. */
  hold(transaction: Transaction, queue: string): Promise<void>;
  byKey(on: Queryable, queue: string, key: string): Promise<StoredItem | null>;
  /** How many items are ready or claimed, counted up to a limit. */
  depth(on: Queryable, queue: string, limit: number): Promise<number>;
  insert(transaction: Transaction, item: StoredItem): Promise<void>;
  /** The oldest item that is ready and that nobody else is claiming, held. */
  lockReady(transaction: Transaction, queue: string): Promise<StoredItem | null>;
  claim(transaction: Transaction, id: Id<"item">, by: { run: Id<"run">; maxAttempts: number }): Promise<void>;
  /** The item that a run has claimed, held. */
  lockClaimed(transaction: Transaction, run: Id<"run">): Promise<StoredItem | null>;
  /** Ends the claim. `endedAt` where no other run will claim it. */
  release(transaction: Transaction, id: Id<"item">, after: { state: Exclude<ItemState, "claimed">; endedAt: Date | null }): Promise<void>;
  /** How many items of each queue are in each state but `completed`. */
  depths(on: Queryable): Promise<{ queue: string; state: ItemState; count: number }[]>;
  /** Newest first. */
  list(on: Queryable, query: ItemQuery): Promise<StoredItem[]>;
};
