import type { Id, ItemState, JsonObject } from "@remit/contract";
import type { Queryable, Transaction } from "../database/database.ts";
import type { ItemQuery, QueueStore, StoredItem } from "./queue.store.ts";

export const queueStore: QueueStore = { hold, byKey, depth, insert, lockReady, claim, lockClaimed, release, depths, list };

const columns =
  "id, queue, state, subject, payload, key, attempts, max_attempts, run_id, enqueued_by, enqueued_at, ended_at, payload_entry";

/** By a hash of the name: two queues may now and then wait for each other, which costs a moment and nothing else. */
async function hold(transaction: Transaction, queue: string): Promise<void> {
  const text = "SELECT pg_advisory_xact_lock(hashtextextended('queue ' || $1, 0))";
  await transaction.query({ name: "queue-hold", text }, [queue]);
}

async function byKey(on: Queryable, queue: string, key: string): Promise<StoredItem | null> {
  const text = `SELECT ${columns} FROM queue_item WHERE queue = $1 AND key = $2`;
  return first(await on.query<Row>({ name: "item-by-key", text }, [queue, key]));
}

async function depth(on: Queryable, queue: string, limit: number): Promise<number> {
  const text = `SELECT count(*)::int AS depth
                FROM (SELECT FROM queue_item WHERE queue = $1 AND state IN ('ready', 'claimed') LIMIT $2) AS open`;
  const [row] = await on.query<{ depth: number }>({ name: "queue-depth", text }, [queue, limit]);
  return row?.depth ?? 0;
}

async function insert(transaction: Transaction, item: StoredItem): Promise<void> {
  const text = `INSERT INTO queue_item (${columns}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`;
  await transaction.query({ name: "item-insert", text }, [
    item.id,
    item.queue,
    item.state,
    item.subject,
    item.payloadEntry === null ? JSON.stringify(item.payload) : "{}",
    item.key,
    item.attempts,
    item.maxAttempts,
    item.runId,
    item.enqueuedBy,
    item.enqueuedAt,
    item.endedAt,
    item.payloadEntry,
  ]);
}

async function lockReady(transaction: Transaction, queue: string): Promise<StoredItem | null> {
  const text = `SELECT ${columns} FROM queue_item WHERE queue = $1 AND state = 'ready' ORDER BY id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED`;
  return first(await transaction.query<Row>({ name: "item-lock-ready", text }, [queue]));
}

async function claim(transaction: Transaction, id: Id<"item">, { run, maxAttempts }: Parameters<QueueStore["claim"]>[2]): Promise<void> {
  const text =
    "UPDATE queue_item SET state = 'claimed', run_id = $2, max_attempts = $3, attempts = attempts + 1 WHERE id = $1 AND state = 'ready'";
  await transaction.query({ name: "item-claim", text }, [id, run, maxAttempts]);
}

async function lockClaimed(transaction: Transaction, run: Id<"run">): Promise<StoredItem | null> {
  const text = `SELECT ${columns} FROM queue_item WHERE run_id = $1 AND state = 'claimed' FOR NO KEY UPDATE`;
  return first(await transaction.query<Row>({ name: "item-lock-claimed", text }, [run]));
}

async function release(transaction: Transaction, id: Id<"item">, { state, endedAt }: Parameters<QueueStore["release"]>[2]): Promise<void> {
  const text = "UPDATE queue_item SET state = $2, ended_at = $3 WHERE id = $1 AND state = 'claimed'";
  await transaction.query({ name: "item-release", text }, [id, state, endedAt]);
}

async function depths(on: Queryable): Promise<{ queue: string; state: ItemState; count: number }[]> {
  return on.query({
    name: "queue-depths",
    text: "SELECT queue, state, count(*)::int AS count FROM queue_item WHERE state <> 'completed' GROUP BY queue, state",
  });
}

async function list(on: Queryable, { queue, state, before, limit }: ItemQuery): Promise<StoredItem[]> {
  const text = `SELECT ${columns} FROM queue_item
                WHERE queue = $1 AND ($2::text IS NULL OR state = $2) AND ($3::text IS NULL OR id < $3) ORDER BY id DESC LIMIT $4`;
  return (await on.query<Row>(text, [queue, state, before, limit])).map(toItem);
}

type Row = {
  id: string;
  queue: string;
  state: ItemState;
  subject: string;
  payload: JsonObject;
  key: string | null;
  attempts: number;
  max_attempts: number;
  run_id: string | null;
  enqueued_by: string;
  enqueued_at: Date;
  ended_at: Date | null;
  payload_entry: string | null;
};

function first([row]: readonly Row[]): StoredItem | null {
  return row === undefined ? null : toItem(row);
}

function toItem(row: Row): StoredItem {
  return {
    id: row.id as Id<"item">,
    queue: row.queue,
    state: row.state,
    subject: row.subject,
    payload: row.payload,
    payloadEntry: row.payload_entry as Id<"entry"> | null,
    key: row.key,
    attempts: row.attempts,
    maxAttempts: row.max_attempts,
    runId: row.run_id as Id<"run"> | null,
    enqueuedBy: row.enqueued_by,
    enqueuedAt: row.enqueued_at,
    endedAt: row.ended_at,
  };
}
