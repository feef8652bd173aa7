import { type Id, RemitError } from "@remit/contract";
import { DatabaseError } from "pg";
import { unlessHeld } from "./held.ts";
import type { PrivacyStore, StoredHold, StoredSubject } from "./privacy.store.ts";

export const privacyStore: PrivacyStore = {
  async byLookup(on, lookup) {
    const [row] = await on.query<SubjectRow>(`${selectSubject} WHERE d.lookup = $1`, [lookup]);
    return row === undefined ? null : toSubject(row);
  },
  async byKey(on, key) {
    const text = `SELECT k.subject AS key_name, d.sealed, k.wrapped, k.created_at AS first_seen_at
                  FROM payload_key k LEFT JOIN data_subject d ON d.key_name = k.subject WHERE k.subject = $1`;
    const [row] = await on.query<SubjectRow>(text, [key]);
    return row === undefined ? null : toSubject(row);
  },
  async subjects(on, { after, limit }) {
    const rows = await on.query<SubjectRow>(`${selectSubject} WHERE $1::text IS NULL OR d.key_name > $1 ORDER BY d.key_name LIMIT $2`, [
      after,
      limit,
    ]);
    return rows.map(toSubject);
  },
  async reach(on, key) {
    const [row] = await on.query<{
      payloads: string;
      shared: string;
      entries: string;
      approvals: string[];
      requests: string[];
      items: string[];
    }>(reachSql(key), [key]);
    if (row === undefined) throw new RemitError("internal", "what a key seals could not be counted");
    const { payloads, shared, entries, approvals, requests, items } = row;
    return {
      payloads: Number(payloads),
      shared: Number(shared),
      entries: Number(entries),
      approvals: approvals as Id<"approval">[],
      requests: requests as Id<"approval">[],
      items,
    };
  },
  async entries(on, key, { after, limit }) {
    const rows = await on.query<{ id: string; seq: string | null; body: Buffer }>(entriesSql(key), [key, after, limit]);
    return rows.map(({ id, seq, body }) => ({ id, seq: seq === null ? null : Number(seq), body }));
  },
  async payloadsOf(on, entryIds) {
    const rows = await on.query<{ entry_id: string; name: string; subject: string }>(
      "SELECT entry_id, name, subject FROM ledger_payload WHERE entry_id = ANY ($1) ORDER BY entry_id, name",
      [entryIds],
    );
    return rows.map((row) => ({ entryId: row.entry_id, name: row.name, reference: row.subject }));
  },
  async erase(transaction, key) {
    const [row] = await unlessHeld(transaction.query<{ erased: boolean }>("SELECT erase_payload_key($1) AS erased", [key]));
    return row?.erased === true;
  },
  async emptyItems(transaction, items) {
    if (items.length > 0) await transaction.query("SELECT empty_items($1)", [items]);
  },
  async emptyCommentsAbout(transaction, requests) {
    if (requests.length > 0) await transaction.query("SELECT empty_comments_about($1)", [requests]);
  },
  async emptyComments(transaction, party) {
    await transaction.query("SELECT empty_comments($1)", [party]);
  },
  async requests(on, { types, before, limit }) {
    const text = "SELECT id, body FROM ledger_entry WHERE type = ANY ($1) AND ($2::text IS NULL OR id < $2) ORDER BY id DESC LIMIT $3";
    return on.query<{ id: string; body: Buffer }>(text, [types, before, limit]);
  },

  async insertHold(transaction, hold) {
    const { id, name, reason, key, placedBy, placedAt } = hold;
    try {
      await transaction.query("INSERT INTO legal_hold (id, name, reason, key_name, placed_by, placed_at) VALUES ($1, $2, $3, $4, $5, $6)", [
        id,
        name,
        reason,
        key,
        placedBy,
        placedAt,
      ]);
    } catch (error) {
      if (error instanceof DatabaseError && error.constraint === "legal_hold_name") {
        throw new RemitError("conflict", `A hold named "${name}" is in force already; give this one another name`, { cause: error });
      }
      throw error;
    }
  },
  async lockHold(transaction, idOrName) {
    const text = `SELECT ${holdColumns} FROM legal_hold h WHERE h.id = $1 OR (h.name = $1 AND h.released_at IS NULL)
                  ORDER BY h.released_at NULLS FIRST LIMIT 1 FOR UPDATE`;
    const [row] = await transaction.query<HoldRow>(text, [idOrName]);
    return row === undefined ? null : toHold(row);
  },
  async requestRelease(transaction, id, { party, link, reason }) {
    await transaction.query(
      "UPDATE legal_hold SET release_requested_by = $2, release_requested_link = $3, release_reason = $4 WHERE id = $1",
      [id, party, link, reason],
    );
  },
  async release(transaction, id, by, at) {
    await transaction.query("UPDATE legal_hold SET released_by = $2, released_at = $3 WHERE id = $1", [id, by, at]);
  },
  async holds(on, { all, after, limit }) {
    const text = `SELECT ${holdColumns} FROM legal_hold h WHERE ($1 OR released_at IS NULL) AND ($2::text IS NULL OR id < $2)
                  ORDER BY id DESC LIMIT $3`;
    return (await on.query<HoldRow>(text, [all, after, limit])).map(toHold);
  },
  async holdsAgainst(on, key) {
    const text = `SELECT ${holdColumns} FROM legal_hold h WHERE released_at IS NULL AND (h.key_name IS NULL OR h.key_name = $1
        OR (starts_with($1, 'person:') AND EXISTS (
          SELECT FROM ledger_payload p WHERE starts_with(p.subject, 'person:') AND string_to_array(p.subject, ' ') @> ARRAY[$1, h.key_name])))
      ORDER BY placed_at`;
    return (await on.query<HoldRow>(text, [key])).map(toHold);
  },
  async dropHeldKeys(transaction) {
    const [row] = await transaction.query<{ dropped: string }>("SELECT drop_held_keys() AS dropped");
    return Number(row?.dropped ?? 0);
  },
};

type SubjectRow = { key_name: string; sealed: Buffer | null; wrapped: Buffer; first_seen_at: Date };

function toSubject(row: SubjectRow): StoredSubject {
  return { key: row.key_name, sealed: row.sealed, wrapped: row.wrapped, firstSeenAt: row.first_seen_at };
}

const selectSubject = `SELECT d.key_name, d.sealed, k.wrapped, d.first_seen_at
  FROM data_subject d JOIN payload_key k ON k.subject = d.key_name`;

/** Only the keys of data subjects are indexed; what is sealed under another is looked for. */
function named(key: string): string {
  return `SELECT entry_id, name, subject FROM ledger_payload p
    WHERE ${key.startsWith("person:") ? "starts_with(p.subject, 'person:') AND " : ""}string_to_array(p.subject, ' ') @> ARRAY[$1]`;
}

function reachSql(key: string): string {
  return `
WITH named AS MATERIALIZED (${named(key)}),
  about AS (SELECT DISTINCT e.id, e.type, e.action_id, e.body FROM named JOIN ledger_entry e ON e.id = named.entry_id)
SELECT (SELECT count(*) FROM named) AS payloads,
  (SELECT count(*) FROM named WHERE (SELECT count(*) FROM unnest(string_to_array(subject, ' ')) AS part WHERE starts_with(part, 'person:')) > 1) AS shared,
  (SELECT count(*) FROM about) AS entries,
  (SELECT coalesce(array_agg(a.id ORDER BY a.id), '{}') FROM approval a
    WHERE a.state IN ('pending', 'granted') AND a.action_id IN (SELECT action_id FROM about)) AS approvals,
  (SELECT coalesce(array_agg(a.id ORDER BY a.id), '{}') FROM approval a WHERE a.action_id IN (SELECT action_id FROM about)) AS requests,
  (SELECT coalesce(array_agg(convert_from(body, 'UTF8')::jsonb#>>'{data,itemId}'), '{}') FROM about WHERE type = 'item-enqueued') AS items`;
}

function entriesSql(key: string): string {
  return `
WITH named AS MATERIALIZED (${named(key)}),
  acted AS (SELECT DISTINCT e.action_id FROM named JOIN ledger_entry e ON e.id = named.entry_id WHERE e.action_id IS NOT NULL),
  related AS (SELECT entry_id AS id FROM named UNION SELECT e.id FROM acted JOIN ledger_entry e USING (action_id))
SELECT e.id, l.seq, e.body FROM related JOIN ledger_entry e USING (id) LEFT JOIN ledger_leaf l ON l.entry_id = e.id
WHERE $2::text IS NULL OR e.id > $2 ORDER BY e.id LIMIT $3`;
}

type HoldRow = {
  id: string;
  name: string;
  reason: string;
  key_name: string | null;
  placed_by: string;
  placed_at: Date;
  release_requested_by: string | null;
  release_requested_link: string | null;
  released_at: Date | null;
};

const holdColumns =
  "h.id, h.name, h.reason, h.key_name, h.placed_by, h.placed_at, h.release_requested_by, h.release_requested_link, h.released_at";

function toHold(row: HoldRow): StoredHold {
  return {
    id: row.id,
    name: row.name,
    reason: row.reason,
    key: row.key_name,
    placedBy: row.placed_by,
    placedAt: row.placed_at,
    releaseRequestedBy: row.release_requested_by,
    releaseRequestedLink: row.release_requested_link,
    releasedAt: row.released_at,
  };
}
