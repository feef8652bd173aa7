import type { Id, IdKind } from "@remit/contract";
import { RemitError } from "@remit/contract";
import type { Database, Queryable } from "../database/database.ts";
import type { Ledger } from "../ledger/ledger.ts";

/** @throws RemitError `database-mismatch` where the database was restored, and its ledger not verified since. */
export async function refuseUnverified(database: Queryable): Promise<void> {
  const [row] = await database.query<{ restored_at: Date; size: string; witnessed_size: string | null }>(
    "SELECT restored_at, size, witnessed_size FROM restoration WHERE verified_at IS NULL ORDER BY id DESC LIMIT 1",
  );
  if (row === undefined) return;
  const { restored_at: at, size, witnessed_size: witnessed } = row;
  throw new RemitError(
    "database-mismatch",
    witnessed === null
      ? `This database was restored at ${at.toISOString()}, and its ledger of ${size} entries does not verify or was not verified. ` +
          "No server starts on it. Restore into an empty database again: remit restore <file>"
      : `This database was restored to ${size} entries, and ${witnessed} had been witnessed: the ledger has gone back, and entries are lost. ` +
          "Restore a newer backup; or, if there is none, restore this one into an empty database with --acknowledge-loss <why>.",
  );
}

/** What people did to the database beside the ledger is in the ledger from its first start on. */
export async function recordRestorations(options: {
  database: Database;
  ledger: Pick<Ledger, "append">;
  now: () => Date;
  newId: <K extends IdKind>(kind: K) => Id<K>;
}): Promise<void> {
  await options.database.transaction(async (transaction) => {
    const rows = await transaction.query<{
      restored_at: Date;
      taken_at: Date;
      size: string;
      root: Buffer;
      witnessed_size: string | null;
      acknowledged_by: string | null;
      reason: string | null;
    }>(
      `UPDATE restoration SET recorded_at = clock_timestamp() WHERE recorded_at IS NULL
       RETURNING restored_at, taken_at, size, root, witnessed_size, acknowledged_by, reason`,
    );
    await options.ledger.append(
      transaction,
      rows.map((row) => ({
        id: options.newId("entry"),
        type: "ledger-restored" as const,
        at: options.now().toISOString(),
        actor: "service:remit",
        data: {
          restoredAt: row.restored_at.toISOString(),
          takenAt: row.taken_at.toISOString(),
          size: Number(row.size),
          root: row.root.toString("base64"),
          witnessedSize: row.witnessed_size === null ? null : Number(row.witnessed_size),
          acknowledgedBy: row.acknowledged_by,
          reason: row.reason,
        },
      })),
    );
  });
}
