import type { EntryType } from "@remit/contract";
import type { Held, StoredWebhook, WaitingDelivery, WebhookStore } from "./webhook.store.ts";

type Row = {
  id: string;
  url: string;
  description: string;
  types: EntryType[] | null;
  agent: string | null;
  state: StoredWebhook["state"];
  reason: string | null;
  created_by: string;
  created_at: Date;
  place: string;
  failures: number;
  probe_at: Date | null;
  last_success_at: Date | null;
  last_failure_at: Date | null;
  epoch: string;
};
type WaitingRow = { seq: string; entry_id: string; type: string; lane: string; attempts: number; first_at: Date };

const columns =
  "id, url, description, types, agent, state, reason, created_by, created_at, place, failures, probe_at, last_success_at, last_failure_at, epoch";

export const webhookStore: WebhookStore = {
  async insert(transaction, webhook) {
    await transaction.query(
      `INSERT INTO webhook (id, url, description, types, agent, state, reason, created_by, created_at, place)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
      [
        webhook.id,
        webhook.url,
        webhook.description,
        webhook.types,
        webhook.agent,
        webhook.state,
        webhook.reason,
        webhook.createdBy,
        webhook.createdAt.toISOString(),
        webhook.place,
      ],
    );
  },
  async count(on) {
    const [row] = await on.query<{ count: string }>("SELECT count(*) AS count FROM webhook");
    return Number(row?.count ?? 0);
  },
  async get(on, id) {
    const [row] = await on.query<Row>(`SELECT ${columns} FROM webhook WHERE id = $1`, [id]);
    return row === undefined ? null : toHeld(row);
  },
  async list(on, { after, limit }) {
    const sql = `SELECT ${columns} FROM webhook WHERE $1::text IS NULL OR id > $1 ORDER BY id LIMIT $2`;
    return (await on.query<Row>(sql, [after, limit])).map(toHeld);
  },
  async counts(on, ids) {
    const rows = await on.query<{ webhook_id: string; waiting: string; dead: string }>(
      `SELECT webhook_id, count(*) FILTER (WHERE state = 'waiting') AS waiting, count(*) FILTER (WHERE state = 'dead') AS dead
       FROM webhook_delivery WHERE webhook_id = ANY ($1) GROUP BY webhook_id`,
      [ids],
    );
    return new Map(rows.map((row) => [row.webhook_id, { waiting: Number(row.waiting), dead: Number(row.dead) }]));
  },
  async takeAway(transaction, id) {
    const [row] = await transaction.query<Row>(
      `UPDATE webhook SET epoch = epoch + 1, holder = '', held_until = '-infinity' WHERE id = $1 RETURNING ${columns}`,
      [id],
    );
    return row === undefined ? null : toHeld(row);
  },
  async setState(transaction, id, state, reason) {
    await transaction.query("UPDATE webhook SET state = $2, reason = $3, failures = 0, probe_at = NULL WHERE id = $1", [id, state, reason]);
  },
  async setPlace(transaction, id, place) {
    await transaction.query("DELETE FROM webhook_delivery WHERE webhook_id = $1 AND state = 'waiting' AND seq >= $2", [id, place]);
    await transaction.query("UPDATE webhook SET place = $2 WHERE id = $1", [id, place]);
  },
  async remove(transaction, id) {
    await transaction.query("DELETE FROM webhook WHERE id = $1", [id]);
  },
  async putWaiting(transaction, id, { seq, entryId, type, lane, firstAt }) {
    await transaction.query(
      `INSERT INTO webhook_delivery (webhook_id, seq, entry_id, type, lane, state, attempts, due_at, first_at, last_at)
       VALUES ($1, $2, $3, $4, $5, 'waiting', 0, $6, $6, $6)
       ON CONFLICT (webhook_id, seq) DO UPDATE SET state = 'waiting', attempts = 0, due_at = $6`,
      [id, seq, entryId, type, lane, firstAt.toISOString()],
    );
  },
  async revive(transaction, id, entryId, at) {
    const rows = await transaction.query(
      `UPDATE webhook_delivery SET state = 'waiting', attempts = 0, due_at = $3
       WHERE webhook_id = $1 AND state = 'dead' AND ($2::text IS NULL OR entry_id = $2) RETURNING seq`,
      [id, entryId, at.toISOString()],
    );
    return rows.length;
  },
  async hurry(transaction, id, at) {
    await transaction.query("UPDATE webhook_delivery SET due_at = $2 WHERE webhook_id = $1 AND state = 'waiting'", [id, at.toISOString()]);
  },
  async placeOfEntry(on, entryId) {
    const [row] = await on.query<{ seq: string }>("SELECT seq FROM ledger_leaf WHERE entry_id = $1", [entryId]);
    return row === undefined ? null : Number(row.seq);
  },
  async deadLetters(on, id, { after, limit }) {
    const rows = await on.query<WaitingRow & { last_at: Date; status: number | null; reason: string | null }>(
      `SELECT seq, entry_id, type, lane, attempts, first_at, last_at, status, reason FROM webhook_delivery
       WHERE webhook_id = $1 AND state = 'dead' AND ($2::bigint IS NULL OR seq > $2) ORDER BY seq LIMIT $3`,
      [id, after, limit],
    );
    return rows.map((row) => ({
      event: row.entry_id,
      sequence: Number(row.seq),
      type: row.type,
      run: row.lane === "" ? null : row.lane,
      attempts: row.attempts,
      firstAt: row.first_at.toISOString(),
      lastAt: row.last_at.toISOString(),
      status: row.status,
      reason: row.reason,
    }));
  },
  async attempts(on, id, { before, limit }) {
    const rows = await on.query<{
      id: string;
      seq: string;
      entry_id: string;
      type: string;
      at: Date;
      attempt: number;
      delivered: boolean;
      status: number | null;
      reason: string | null;
      duration_ms: number;
    }>(
      `SELECT id, seq, entry_id, type, at, attempt, delivered, status, reason, duration_ms FROM webhook_attempt
       WHERE webhook_id = $1 AND ($2::bigint IS NULL OR id < $2) ORDER BY id DESC LIMIT $3`,
      [id, before, limit],
    );
    return rows.map(({ seq, entry_id: event, at, duration_ms: durationMs, ...row }) => ({
      ...row,
      event,
      sequence: Number(seq),
      at: at.toISOString(),
      durationMs,
    }));
  },

  async insertSecret(transaction, id, { version, sealed, createdAt, createdBy }) {
    await transaction.query(
      "INSERT INTO webhook_secret (webhook_id, version, sealed, created_at, created_by) VALUES ($1, $2, $3, $4, $5)",
      [id, version, sealed, createdAt.toISOString(), createdBy],
    );
  },
  async endSecrets(transaction, id, before, at) {
    // An overlap that ends sooner is not made longer.
    await transaction.query("UPDATE webhook_secret SET ends_at = least(ends_at, $3) WHERE webhook_id = $1 AND version < $2", [
      id,
      before,
      at.toISOString(),
    ]);
  },
  async secrets(on, id, at) {
    const rows = await on.query<{ version: number; sealed: Buffer; created_at: Date; ends_at: Date | null }>(
      `SELECT version, sealed, created_at, ends_at FROM webhook_secret
       WHERE webhook_id = $1 AND (ends_at IS NULL OR ends_at > $2) ORDER BY version DESC`,
      [id, at.toISOString()],
    );
    return rows.map(({ created_at: createdAt, ends_at: endsAt, ...row }) => ({ ...row, createdAt, endsAt }));
  },

  async claim(on, holder, leaseMs, limit) {
    const rows = await on.query<Row>(
      `UPDATE webhook SET holder = $1, epoch = epoch + 1, held_until = clock_timestamp() + $2 * interval '1 ms'
       WHERE id IN (
         SELECT id FROM webhook WHERE state = 'active' AND held_until < clock_timestamp() ORDER BY held_until LIMIT $3 FOR UPDATE SKIP LOCKED
       ) RETURNING ${columns}`,
      [holder, leaseMs, limit],
    );
    return rows.map(toHeld);
  },
  async renew(on, id, epoch, leaseMs) {
    const [row] = await on.query<Row>(
      `UPDATE webhook SET held_until = clock_timestamp() + $3 * interval '1 ms' WHERE id = $1 AND epoch = $2 AND state = 'active'
       RETURNING ${columns}`,
      [id, epoch, leaseMs],
    );
    return row === undefined ? null : toHeld(row);
  },
  async release(on, id, epoch) {
    await on.query("UPDATE webhook SET held_until = '-infinity' WHERE id = $1 AND epoch = $2", [id, epoch]);
  },
  async lanes(on, id) {
    const rows = await on.query<{ lane: string; waiting: string }>(
      "SELECT lane, count(*) AS waiting FROM webhook_delivery WHERE webhook_id = $1 AND state = 'waiting' GROUP BY lane",
      [id],
    );
    return { lanes: new Set(rows.map(({ lane }) => lane)), waiting: rows.reduce((sum, row) => sum + Number(row.waiting), 0) };
  },
  async due(on, id, at, limits) {
    const rows = await on.query<WaitingRow>(
      `SELECT d.seq, d.entry_id, d.type, d.lane, d.attempts, d.first_at
       FROM (
         SELECT lane, due_at, seq FROM (
           SELECT DISTINCT ON (lane) lane, due_at, seq FROM webhook_delivery WHERE webhook_id = $1 AND state = 'waiting' ORDER BY lane, seq
         ) first WHERE due_at <= $2 ORDER BY due_at, seq LIMIT $3
       ) head
       CROSS JOIN LATERAL (
         SELECT * FROM webhook_delivery WHERE webhook_id = $1 AND state = 'waiting' AND lane = head.lane ORDER BY seq LIMIT $4
       ) d
       ORDER BY head.due_at, head.seq, d.seq`,
      [id, at.toISOString(), limits.lanes, limits.each],
    );
    return [...Map.groupBy(rows.map(toWaiting), ({ lane }) => lane).values()];
  },
  async nextDue(on, id) {
    const [row] = await on.query<{ due_at: Date | null }>(
      `SELECT min(due_at) AS due_at FROM (
         SELECT DISTINCT ON (lane) due_at FROM webhook_delivery WHERE webhook_id = $1 AND state = 'waiting' ORDER BY lane, seq
       ) head`,
      [id],
    );
    return row?.due_at ?? null;
  },
  async settle(transaction, id, epoch, { place, attempts, taken, left, failures, probeAt, lastSuccessAt, lastFailureAt }) {
    const held = await transaction.query(
      `UPDATE webhook SET place = $3, failures = $4, probe_at = $5, last_success_at = coalesce($6, last_success_at),
         last_failure_at = coalesce($7, last_failure_at)
       WHERE id = $1 AND epoch = $2 RETURNING id`,
      [id, epoch, place, failures, iso(probeAt), iso(lastSuccessAt), iso(lastFailureAt)],
    );
    if (held.length === 0) return false;
    await transaction.query("DELETE FROM webhook_delivery WHERE webhook_id = $1 AND seq = ANY ($2::bigint[])", [id, taken]);
    await transaction.query(
      `INSERT INTO webhook_delivery (webhook_id, seq, entry_id, type, lane, state, attempts, due_at, first_at, last_at, status, reason)
       SELECT $1, * FROM unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int[], $8::timestamptz[], $9::timestamptz[],
         $10::timestamptz[], $11::int[], $12::text[])
       ON CONFLICT (webhook_id, seq) DO UPDATE SET state = excluded.state, attempts = excluded.attempts, due_at = excluded.due_at,
         last_at = excluded.last_at, status = excluded.status, reason = excluded.reason`,
      [
        id,
        left.map(({ seq }) => seq),
        left.map(({ entryId }) => entryId),
        left.map(({ type }) => type),
        left.map(({ lane }) => lane),
        left.map(({ state }) => state),
        left.map((one) => one.attempts),
        left.map(({ dueAt }) => iso(dueAt)),
        left.map(({ firstAt }) => iso(firstAt)),
        left.map(({ lastAt }) => iso(lastAt)),
        left.map(({ status }) => status),
        left.map(({ reason }) => reason),
      ],
    );
    await transaction.query(
      `INSERT INTO webhook_attempt (webhook_id, seq, entry_id, type, at, attempt, delivered, status, reason, duration_ms)
       SELECT $1, * FROM unnest($2::bigint[], $3::text[], $4::text[], $5::timestamptz[], $6::int[], $7::boolean[], $8::int[], $9::text[], $10::int[])`,
      [
        id,
        attempts.map(({ sequence }) => sequence),
        attempts.map(({ entryId }) => entryId),
        attempts.map(({ type }) => type),
        attempts.map(({ at }) => iso(at)),
        attempts.map(({ attempt }) => attempt),
        attempts.map(({ delivered }) => delivered),
        attempts.map(({ status }) => status),
        attempts.map(({ reason }) => reason),
        attempts.map(({ durationMs }) => durationMs),
      ],
    );
    return true;
  },
  async prune(on, { attempts, dead, secrets }) {
    await on.query("DELETE FROM webhook_attempt WHERE at < $1", [attempts.toISOString()]);
    await on.query("DELETE FROM webhook_delivery WHERE state = 'dead' AND last_at < $1", [dead.toISOString()]);
    await on.query("DELETE FROM webhook_secret WHERE ends_at < $1", [secrets.toISOString()]);
  },
};

function toHeld(row: Row): Held {
  const { id, url, description, types, agent, state, reason, failures, epoch } = row;
  return {
    id,
    url,
    description,
    types,
    agent,
    state,
    reason,
    failures,
    epoch,
    createdBy: row.created_by,
    createdAt: row.created_at,
    place: Number(row.place),
    probeAt: row.probe_at,
    lastSuccessAt: row.last_success_at,
    lastFailureAt: row.last_failure_at,
  };
}

function toWaiting({ seq, entry_id: entryId, type, lane, attempts, first_at: firstAt }: WaitingRow): WaitingDelivery {
  return { seq: Number(seq), entryId, type, lane, attempts, firstAt };
}

function iso(date: Date | null): string | null {
  return date?.toISOString() ?? null;
}
