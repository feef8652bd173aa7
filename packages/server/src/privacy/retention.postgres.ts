import { unlessHeld } from "./held.ts";
import type { RetentionStore } from "./retention.store.ts";

export const retentionStore: RetentionStore = {
  async keptKeys(on) {
    const rows = await on.query<{ subject: string }>(
      "SELECT subject FROM payload_key WHERE starts_with(subject, 'kept:') ORDER BY subject",
    );
    return rows.map(({ subject }) => subject);
  },
  async counts(on, keys) {
    const rows = await on.query<{ key: string; payloads: string; held: string }>(
      `SELECT key, count(*) AS payloads, count(*) FILTER (WHERE ${isHeld}) AS held
       FROM ledger_payload p, unnest(string_to_array(p.subject, ' ')) AS key WHERE key = ANY ($1) GROUP BY key`,
      [keys],
    );
    return new Map(rows.map(({ key, payloads, held }) => [key, { payloads: Number(payloads), held: Number(held) }]));
  },
  async heldAltogether(on) {
    const [row] = await on.query<{ name: string }>(
      "SELECT name FROM legal_hold WHERE released_at IS NULL AND key_name IS NULL ORDER BY placed_at LIMIT 1",
    );
    return row?.name ?? null;
  },
  async toPutAside(on, keys) {
    const rows = await on.query<{ entry_id: string; name: string; subject: string }>(
      `SELECT entry_id, name, subject FROM ledger_payload p
       WHERE string_to_array(p.subject, ' ') && $1 AND ${isHeld}
         AND NOT EXISTS (SELECT FROM held_payload_key k WHERE k.entry_id = p.entry_id AND k.name = p.name)`,
      [keys],
    );
    return rows.map((row) => ({ entryId: row.entry_id, name: row.name, reference: row.subject }));
  },
  async putAside(transaction, payloads) {
    await transaction.query(
      `INSERT INTO held_payload_key (entry_id, name, wrapped) SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[])
       ON CONFLICT (entry_id, name) DO NOTHING`,
      [payloads.map(({ entryId }) => entryId), payloads.map(({ name }) => name), payloads.map(({ wrapped }) => wrapped)],
    );
  },
  async purge(transaction, keys) {
    const [row] = await unlessHeld(transaction.query<{ purged: string }>("SELECT purge_kept_keys($1) AS purged", [keys]));
    return Number(row?.purged ?? 0);
  },
  async countRows(on, before) {
    const [row] = await on.query<Record<string, string>>(
      `SELECT
         (SELECT count(*) FROM approval WHERE state IN ('denied', 'expired', 'cancelled', 'consumed', 'stale')
            AND coalesce(decided_at, expires_at) < $1) AS approval,
         (SELECT count(*) FROM action WHERE state NOT IN ('waiting', 'executing') AND ended_at < $1) AS action,
         (SELECT count(*) FROM queue_item WHERE state IN ('completed', 'set-aside') AND ended_at < $1) AS queue_item,
         (SELECT count(*) FROM run WHERE state <> 'running' AND ended_at < $1) AS run`,
      [before],
    );
    return Object.fromEntries(Object.entries(row ?? {}).map(([table, count]) => [table, Number(count)]));
  },
  async purgeRows(transaction, before, most) {
    const rows = await transaction.query<{ relation: string; deleted: string }>("SELECT relation, deleted FROM purge_ended_rows($1, $2)", [
      before,
      most,
    ]);
    return Object.fromEntries(rows.map(({ relation, deleted }) => [relation, Number(deleted)]));
  },
  async claim(transaction) {
    const [row] = await transaction.query<{ mine: boolean }>("SELECT pg_try_advisory_xact_lock(hashtextextended('retention', 0)) AS mine");
    return row?.mine === true;
  },
};

const isHeld = `EXISTS (SELECT FROM legal_hold h WHERE h.released_at IS NULL AND string_to_array(p.subject, ' ') @> ARRAY[h.key_name])`;
