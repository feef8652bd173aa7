import { ledgerEventSchema, RemitError } from "@remit/contract";
import type { LedgerEvent } from "@remit/contract";
import type { Queryable } from "../database/database.ts";
import type { AuditStore } from "./audit.store.ts";

type Row = { id: string; seq: string | null; body: Buffer };

export function createAuditStore(database: Queryable): AuditStore {
  return {
    async find(filter, { order, after, limit }) {
      const rows = await database.query<Row & { seq: string }>(order === "newest" ? findSql(">", "DESC") : findSql("<", "ASC"), [
        filter.run,
        filter.action,
        filter.approval,
        filter.trace,
        filter.agent,
        filter.actor,
        filter.types,
        filter.tool,
        filter.since,
        filter.until,
        after,
        limit,
      ]);
      return rows.map((row) => ({ seq: Number(row.seq), event: eventOf(row) }));
    },
    async about(id, limit) {
      const rows = await database.query<Row>(aboutSql, [id, limit]);
      return rows.map((row) => ({ seq: row.seq === null ? null : Number(row.seq), event: eventOf(row) }));
    },
    async body(entryId) {
      const [row] = await database.query<{ body: Buffer }>("SELECT body FROM ledger_entry WHERE id = $1", [entryId]);
      return row?.body ?? null;
    },
  };
}

// Not prepared by name: planned with its values, a condition that is null costs nothing.
function findSql(beyond: "<" | ">", direction: "ASC" | "DESC"): string {
  return `
SELECT e.id, l.seq, e.body FROM ledger_leaf l JOIN ledger_entry e ON e.id = l.entry_id
WHERE ($1::text IS NULL OR e.run_id = $1) AND ($2::text IS NULL OR e.action_id = $2) AND ($3::text IS NULL OR e.approval_id = $3)
  AND ($4::text IS NULL OR e.trace_id = $4) AND ($5::text IS NULL OR e.agent = $5) AND ($6::text IS NULL OR e.actor = $6)
  AND ($7::text[] IS NULL OR e.type = ANY ($7)) AND ($8::text IS NULL OR e.tool = $8)
  AND ($9::timestamptz IS NULL OR e.at >= $9) AND ($10::timestamptz IS NULL OR e.at < $10)
  AND ($11::bigint IS NULL OR $11 ${beyond} l.seq)
ORDER BY l.seq ${direction} LIMIT $12`;
}

/** A person's vote names the action and the approval, not the run: what is about any of its actions is about the run. */
const aboutSql = `
WITH direct AS (
  SELECT id, action_id, approval_id FROM ledger_entry WHERE id = $1 OR run_id = $1 OR action_id = $1 OR approval_id = $1 OR trace_id = $1
), related AS (
  SELECT id FROM direct
  UNION SELECT e.id FROM (SELECT DISTINCT action_id FROM direct) d JOIN ledger_entry e USING (action_id)
  UNION SELECT e.id FROM (SELECT DISTINCT approval_id FROM direct) d JOIN ledger_entry e USING (approval_id)
)
SELECT e.id, l.seq, e.body FROM related JOIN ledger_entry e USING (id)
LEFT JOIN ledger_leaf l ON l.entry_id = e.id
LEFT JOIN (SELECT serial, entry_id, place FROM ledger_pending, unnest(entry_ids) WITH ORDINALITY AS i (entry_id, place)) p ON p.entry_id = e.id
ORDER BY l.seq NULLS LAST, p.serial, p.place LIMIT $2`;

function eventOf({ id, body }: Row): LedgerEvent {
  try {
    return ledgerEventSchema.parse(JSON.parse(body.toString()));
  } catch (error) {
    throw new RemitError("internal", `The body of ${id} is not an event any more: it was changed. Run: remit audit verify`, {
      cause: error,
    });
  }
}
