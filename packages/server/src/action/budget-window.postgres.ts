import type { BudgetWindow } from "@remit/core";
import type { Database, Transaction } from "../database/database.ts";

/** Locks windows until the end of the transaction and reads them; one that is new begins at nothing. Sorted, so that two never wait for each other. */
export async function lockWindows(transaction: Transaction, keys: readonly string[]): Promise<Map<string, BudgetWindow>> {
  const sorted = [...new Set(keys)].sort();
  if (sorted.length === 0) return new Map();
  const windows = await lockExisting(transaction, sorted);
  const missing = sorted.filter((key) => !windows.has(key));
  if (missing.length > 0) {
    await transaction.query(
      { name: "budget-open", text: "INSERT INTO budget_window (key) SELECT unnest($1::text[]) ON CONFLICT (key) DO NOTHING" },
      [missing],
    );
    for (const [key, window] of await lockExisting(transaction, missing)) windows.set(key, window);
  }
  return windows;
}

async function lockExisting(transaction: Transaction, sorted: readonly string[]): Promise<Map<string, BudgetWindow>> {
  const rows = await transaction.query<{ key: string; spent: string; reserved: string }>(
    { name: "budget-lock", text: "SELECT key, spent, reserved FROM budget_window WHERE key = ANY($1) ORDER BY key FOR NO KEY UPDATE" },
    [sorted],
  );
  return new Map(rows.map(({ key, spent, reserved }) => [key, { key, spent: Number(spent), reserved: Number(reserved) }]));
}

/** Writes back those of the locked windows that have changed. */
export function writeWindows(transaction: Transaction, windows: ReadonlyMap<string, BudgetWindow>, changed: ReadonlySet<string>): void {
  const rows = [...windows.values()].filter(({ key }) => changed.has(key));
  if (rows.length === 0) return;
  transaction.write(
    {
      name: "budget-write",
      text: `UPDATE budget_window SET spent = changed.spent, reserved = changed.reserved
             FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS changed (key, spent, reserved) WHERE budget_window.key = changed.key`,
    },
    [rows.map(({ key }) => key), rows.map(({ spent }) => spent), rows.map(({ reserved }) => reserved)],
  );
}

/** Windows of days that are over everywhere. One that an action in flight has reserved in stays, for that is settled in it. */
export async function deleteWindows(database: Database): Promise<number> {
  const rows = await database.query<{ key: string }>(
    "DELETE FROM budget_window WHERE opened_at < clock_timestamp() - interval '3 days' AND reserved = 0 RETURNING key",
  );
  return rows.length;
}
