import type { Queryable } from "../database/database.ts";
import type { LedgerKeyStore } from "./ledger-keys.store.ts";

export function createLedgerKeyStore(database: Queryable): LedgerKeyStore {
  return {
    async sets() {
      const rows = await database.query<{ version: number; keys: string; entry_id: string; code: Buffer; at: Date; seq: string | null }>(
        `SELECT s.version, s.keys, s.entry_id, s.code, s.at, l.seq FROM ledger_key_set s
         LEFT JOIN ledger_leaf l ON l.entry_id = s.entry_id ORDER BY s.version`,
      );
      return rows.map(({ entry_id: entryId, seq, ...row }) => ({ ...row, entryId, seq: seq === null ? null : Number(seq) }));
    },
    async add(transaction, { version, keys, entryId, code }) {
      const rows = await transaction.query(
        "INSERT INTO ledger_key_set (version, keys, entry_id, code) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING RETURNING version",
        [version, keys, entryId, code],
      );
      return rows.length > 0;
    },
    async fence(transaction) {
      await transaction.query("UPDATE ledger_sequencer SET epoch = epoch + 1, expires_at = '-infinity'");
    },
  };
}
