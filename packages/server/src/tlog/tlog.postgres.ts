import type { Queryable } from "../database/database.ts";
import type { EntryBodies } from "./tlog.store.ts";

export function createEntryBodies(database: Queryable): EntryBodies {
  return {
    async bodies(from, to) {
      const rows = await database.query<{ body: Buffer }>(
        "SELECT e.body FROM ledger_leaf l JOIN ledger_entry e ON e.id = l.entry_id WHERE l.seq >= $1 AND l.seq < $2 ORDER BY l.seq",
        [from, to],
      );
      return rows.map(({ body }) => body);
    },
  };
}
