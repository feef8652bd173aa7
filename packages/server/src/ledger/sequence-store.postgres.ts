import { RemitError } from "@remit/contract";
import { joinHashes } from "@remit/core";
import { binaryArray } from "../database/binary-array.ts";
import type { Queryable } from "../database/database.ts";
import type { SequenceStore } from "./sequence-store.ts";

export function createSequenceStore(database: Queryable): SequenceStore {
  return {
    async takeOver(holder, leaseMs) {
      const [row] = await database.query<{ epoch: string }>(
        `UPDATE ledger_sequencer SET epoch = epoch + 1, holder = $1, expires_at = clock_timestamp() + $2 * interval '1 ms'
         WHERE expires_at < clock_timestamp() OR holder = $1 RETURNING epoch`,
        [holder, leaseMs],
      );
      return row?.epoch ?? null;
    },
    async renew(epoch, leaseMs) {
      const rows = await database.query(`${fence} RETURNING epoch`, [epoch, leaseMs]);
      return rows.length === 1;
    },
    async release(epoch) {
      await database.query("UPDATE ledger_sequencer SET expires_at = '-infinity' WHERE epoch = $1", [epoch]);
    },
    async pending(limit) {
      const [claimed] = await database.query<Claimed>({ name: "ledger-claim", text: claimSql }, [limit]);
      // Named twice, it has one place all the same.
      const entries = new Map<string, Uint8Array>();
      const orphans: string[] = [];
      let read = 0;
      for (const [index, entryId] of (claimed?.entry_ids ?? []).entries()) {
        if (claimed?.exist?.[index] !== true) {
          orphans.push(entryId);
          continue;
        }
        const leafHash = claimed.leaf_hashes?.subarray(read, read + hashLength);
        read += hashLength;
        if (leafHash?.length !== hashLength) throw new RemitError("internal", "The database did not give a hash for each entry that waits");
        if (!entries.has(entryId)) entries.set(entryId, leafHash);
      }
      return {
        serials: [...new Set(claimed?.serials)],
        entries: [...entries].map(([entryId, leafHash]) => ({ entryId, leafHash })),
        orphans,
      };
    },
    async write(epoch, leaseMs, { pending, start, tiles, checkpoint }) {
      const rows = await database.query({ name: "ledger-sequence", text: writeSql }, [
        epoch,
        leaseMs,
        pending.serials,
        start,
        binaryArray(
          "text",
          pending.entries.map(({ entryId }) => entryId),
        ),
        Buffer.from(joinHashes(pending.entries.map(({ leafHash }) => leafHash))),
        tiles.map(({ level }) => level),
        tiles.map(({ index }) => index),
        tiles.map(({ hashes }) => Buffer.from(hashes)),
        tiles.map(({ root }) => Buffer.from(root)),
        checkpoint.size,
        Buffer.from(checkpoint.root),
        checkpoint.note,
      ]);
      return rows.length === 1;
    },
    async discard(serials) {
      await database.query("DELETE FROM ledger_pending WHERE serial = ANY ($1::bigint[])", [serials]);
    },
    async repair() {
      await database.query("DELETE FROM ledger_pending p WHERE EXISTS (SELECT FROM ledger_leaf l WHERE l.entry_id = ANY (p.entry_ids))");
      const rows = await database.query(
        `INSERT INTO ledger_pending (entry_ids)
         SELECT ARRAY[e.id] FROM ledger_entry e
         WHERE NOT EXISTS (SELECT FROM ledger_leaf l WHERE l.entry_id = e.id) AND e.id NOT IN (SELECT unnest(entry_ids) FROM ledger_pending)
         ORDER BY e.at, e.id RETURNING serial`,
      );
      return rows.length;
    },
    async newest() {
      const [row] = await database.query<{ serial: string | null }>("SELECT max(serial) AS serial FROM ledger_pending");
      return row?.serial ?? null;
    },
    async isPendingUpTo(serial) {
      const rows = await database.query("SELECT FROM ledger_pending WHERE serial <= $1 LIMIT 1", [serial]);
      return rows.length > 0;
    },
  };
}

/** Also takes the row's lock: a takeover waits until what is written under this epoch has committed. */
const fence = "UPDATE ledger_sequencer SET expires_at = clock_timestamp() + $2 * interval '1 ms' WHERE epoch = $1";

type Claimed = { serials: string[] | null; entry_ids: string[] | null; exist: boolean[] | null; leaf_hashes: Buffer | null };

const hashLength = 32;

// One row for all: the driver reads one of JSON in less time than it takes for a row of each entry.
// The lateral query keeps the planner from reading all entries when its statistics of the queue are old.
const claimSql = `
SELECT json_agg(serial::text) AS serials, json_agg(entry_id) AS entry_ids, json_agg(leaf_hash IS NOT NULL) AS exist,
  string_agg(leaf_hash, ''::bytea) AS leaf_hashes
FROM (
  SELECT p.serial, i.entry_id, e.leaf_hash
  FROM (
    SELECT serial, entry_ids, sum(cardinality(entry_ids)) OVER (ORDER BY serial) - cardinality(entry_ids) AS before
    FROM (SELECT serial, entry_ids FROM ledger_pending ORDER BY serial LIMIT $1::int) oldest
  ) p
  CROSS JOIN LATERAL unnest(p.entry_ids) WITH ORDINALITY AS i (entry_id, place)
  LEFT JOIN LATERAL (SELECT sha256('\\x00'::bytea || body) AS leaf_hash FROM ledger_entry WHERE id = i.entry_id OFFSET 0) e ON true
  WHERE p.before < $1::int
  ORDER BY p.serial, i.place
) in_order`;

const writeSql = `
WITH fence AS (
  ${fence} RETURNING epoch
), done AS (
  DELETE FROM ledger_pending WHERE serial = ANY ($3::bigint[]) AND EXISTS (SELECT FROM fence)
), leaves AS (
  INSERT INTO ledger_leaf (seq, entry_id, leaf_hash)
  SELECT $4::bigint + place - 1, entry_id, substring($6::bytea FROM (place::int - 1) * 32 + 1 FOR 32)
  FROM fence, unnest($5::text[]) WITH ORDINALITY AS l (entry_id, place)
), tiles AS (
  INSERT INTO ledger_tile (level, index, hashes, root)
  SELECT level, index, hashes, root FROM fence, unnest($7::smallint[], $8::bigint[], $9::bytea[], $10::bytea[]) AS t (level, index, hashes, root)
), signed AS (
  INSERT INTO ledger_checkpoint (size, root, note, leaves) SELECT $11::bigint, $12::bytea, $13, $6::bytea FROM fence
)
SELECT epoch FROM fence`;
