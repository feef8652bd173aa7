import { erasureTypes } from "@remit/core";
import type { Queryable } from "../database/database.ts";
import type { LeafRow, LedgerRows } from "./ledger-rows.ts";

export function createLedgerRows(database: Queryable): LedgerRows {
  return {
    async extent() {
      const [row] = await database.query<Record<"size" | "leaves" | "first_leaf" | "pending" | "tiles_beyond", string>>(
        `SELECT size, leaves, first_leaf, pending,
           (SELECT count(*) FROM ledger_tile WHERE level < 0 OR index < 0 OR (index + 1) * 256::numeric ^ (level + 1) > size) AS tiles_beyond
         FROM (SELECT coalesce(max(size), 0) AS size FROM ledger_checkpoint) c,
           (SELECT coalesce(max(seq) + 1, 0) AS leaves, coalesce(min(seq), 0) AS first_leaf FROM ledger_leaf) l,
           (SELECT coalesce(sum(cardinality(entry_ids)), 0) AS pending FROM ledger_pending) p`,
      );
      return {
        size: Number(row?.size),
        leaves: Number(row?.leaves),
        firstLeaf: Number(row?.first_leaf),
        pending: Number(row?.pending),
        tilesBeyond: Number(row?.tiles_beyond),
      };
    },
    async checkpointsAfter(size, limit) {
      const rows = await database.query<{ size: string; root: Buffer; note: string; leaves: Buffer }>(
        "SELECT size, root, note, leaves FROM ledger_checkpoint WHERE size > $1 ORDER BY size LIMIT $2",
        [size, limit],
      );
      return rows.map((row) => ({ ...row, size: Number(row.size) }));
    },
    async leaves(from, to) {
      const rows = await database.query<Row>({ name: "ledger-verify-leaves", text: leavesSql }, [from, to]);
      return rows.map(leafRow);
    },
    async payloads(from, to, inline) {
      const rows = await database.query<{ entry_id: string; name: string; subject: string; ciphertext: Buffer | null }>(
        `SELECT entry_id, name, subject, CASE WHEN octet_length(ciphertext) <= $3 THEN ciphertext END AS ciphertext
         FROM ledger_leaf JOIN ledger_payload USING (entry_id) WHERE seq >= $1 AND seq < $2`,
        [from, to, inline],
      );
      return rows.map(({ entry_id: entryId, ...row }) => ({ entryId, ...row }));
    },
    async ciphertext(entryId, name) {
      const [row] = await database.query<{ ciphertext: Buffer }>(
        "SELECT ciphertext FROM ledger_payload WHERE entry_id = $1 AND name = $2",
        [entryId, name],
      );
      return row?.ciphertext ?? null;
    },
    async tiles(level, from, to) {
      const rows = await database.query<{ level: number; index: string; hashes: Buffer; root: Buffer }>(
        "SELECT level, index, hashes, root FROM ledger_tile WHERE level = $1 AND index >= $2 AND index < $3 ORDER BY index",
        [level, from, to],
      );
      return rows.map((row) => ({ ...row, index: Number(row.index) }));
    },
    async neverSequenced(time, limit) {
      const rows = await database.query<{ id: string }>(
        `SELECT e.id FROM ledger_entry e WHERE e.at < $1 AND NOT EXISTS (SELECT FROM ledger_leaf l WHERE l.entry_id = e.id)
         ORDER BY e.at, e.id LIMIT $2`,
        [time, limit],
      );
      return rows.map(({ id }) => id);
    },
    async strayPayloads(limit) {
      const rows = await database.query<{ entry_id: string; name: string }>(
        `SELECT p.entry_id, p.name FROM ledger_payload p WHERE NOT EXISTS (SELECT FROM ledger_entry e WHERE e.id = p.entry_id) LIMIT $1`,
        [limit],
      );
      return rows.map(({ entry_id: entryId, name }) => ({ entryId, name }));
    },
    async erasures() {
      const rows = await database.query<{ body: Buffer; seq: string | null }>(
        "SELECT e.body, l.seq FROM ledger_entry e LEFT JOIN ledger_leaf l ON l.entry_id = e.id WHERE e.type = ANY ($1)",
        [erasureTypes],
      );
      return rows.map(({ body, seq }) => ({ body, seq: seq === null ? null : Number(seq) }));
    },
    async publicKeys() {
      const rows = await database.query<{ public_key: Buffer }>(
        "SELECT public_key FROM signing_key WHERE name = 'ledger' ORDER BY version",
      );
      return rows.map((row) => row.public_key);
    },
  };
}

type Row = {
  seq: string;
  entry_id: string;
  leaf_hash: Buffer;
  id: string | null;
  body: Buffer;
  type: string;
  at_ms: string;
  actor: string;
  agent: string | null;
  tool: string | null;
  action_id: string | null;
  run_id: string | null;
  approval_id: string | null;
  trace_id: string | null;
};

// The time as a number of exact milliseconds: a Date would drop microseconds, and a change of them must be seen.
const leavesSql = `
SELECT l.seq, l.entry_id, l.leaf_hash, e.id, e.body, e.type, (extract(epoch FROM e.at) * 1000)::text AS at_ms, e.actor, e.agent, e.tool,
  e.action_id, e.run_id, e.approval_id, e.trace_id
FROM ledger_leaf l LEFT JOIN ledger_entry e ON e.id = l.entry_id
WHERE l.seq >= $1 AND l.seq < $2 ORDER BY l.seq`;

function leafRow(row: Row): LeafRow {
  const place = { seq: Number(row.seq), entryId: row.entry_id, leafHash: row.leaf_hash };
  if (row.id === null) return { ...place, entry: null };
  const { id, type, actor, agent, tool } = row;
  const columns = {
    id,
    type,
    actor,
    agent,
    tool,
    actionId: row.action_id,
    runId: row.run_id,
    approvalId: row.approval_id,
    traceId: row.trace_id,
  };
  return { ...place, entry: { body: row.body, atMs: row.at_ms, columns } };
}
