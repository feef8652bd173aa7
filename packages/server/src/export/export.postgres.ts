import type { Queryable } from "../database/database.ts";
import type { ExportStore } from "./export.store.ts";

export function createExportStore(database: Queryable): ExportStore {
  return {
    async placesBetween(from, to) {
      const [row] = await database.query<{ first: string | null; last: string | null }>(
        `SELECT min(l.seq) AS first, max(l.seq) AS last FROM ledger_entry e JOIN ledger_leaf l ON l.entry_id = e.id
         WHERE ($1::timestamptz IS NULL OR e.at >= $1) AND ($2::timestamptz IS NULL OR e.at < $2)`,
        [from, to],
      );
      return row?.first == null || row.last === null ? null : { first: Number(row.first), last: Number(row.last) };
    },
    async checkpoints(after, upTo, most) {
      const step = Math.max(1, Math.ceil((upTo - after) / most));
      const rows = await database.query<{ size: string; note: string }>(
        `SELECT DISTINCT ON ((size - 1) / $3::bigint) size, note FROM ledger_checkpoint WHERE size > $1 AND size <= $2
         ORDER BY (size - 1) / $3::bigint, size DESC`,
        [after, upTo, step],
      );
      return rows.map((row) => ({ size: Number(row.size), note: row.note }));
    },
  };
}
