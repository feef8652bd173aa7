import type { Id, IdKind } from "@remit/contract";
import type { Database, Queryable } from "../database/database.ts";
import { signingKeyContext } from "../keys/key-store.ts";
import { doesNotOpen } from "../keys/master-key.ts";
import type { MasterKey } from "../keys/master-key.ts";
import type { Ledger } from "../ledger/ledger.ts";

/** What tells two master keys apart, and leads nobody back to one. */
export function fingerprintOf(masterKey: Pick<MasterKey, "derive">): string {
  return masterKey.derive("fingerprint").export().toString("hex");
}

/** The key that everything is sealed with now; null where no server has started on this database yet. */
export async function currentFingerprint(on: Queryable): Promise<{ version: number; fingerprint: string } | null> {
  const [row] = await on.query<{ version: number; fingerprint: string }>(
    "SELECT version, fingerprint FROM master_key ORDER BY version DESC LIMIT 1",
  );
  return row ?? null;
}

/**
 * Whether this is the key that this database is sealed with; the first server writes down which it is.
 * Asked at the start and whenever control state has changed: a server that slept through a rotation must not seal with the key of before.
 * @throws RemitError `database-mismatch`
 */
export async function confirmMasterKey(database: Queryable, masterKey: MasterKey): Promise<void> {
  const fingerprint = fingerprintOf(masterKey);
  let current = await currentFingerprint(database);
  if (current === null) {
    // A database of before this was written down: what is sealed in it must open, or a wrong key would lock out the right one.
    const [key] = await database.query<{ name: string; version: number; sealed: Buffer }>(
      "SELECT name, version, sealed FROM signing_key LIMIT 1",
    );
    if (key !== undefined && masterKey.open(key.sealed, signingKeyContext(key.name, key.version)) === null)
      throw doesNotOpen("what is sealed");
    await database.query(
      "INSERT INTO master_key (version, fingerprint, recorded_at) VALUES (1, $1, clock_timestamp()) ON CONFLICT DO NOTHING",
      [fingerprint],
    );
    current = await currentFingerprint(database);
  }
  if (current?.fingerprint !== fingerprint) throw doesNotOpen("what is sealed");
}

/** What people did beside the ledger is in the ledger from the next start on. */
export async function recordRotations(options: {
  database: Database;
  ledger: Pick<Ledger, "append">;
  now: () => Date;
  newId: <K extends IdKind>(kind: K) => Id<K>;
}): Promise<void> {
  await options.database.transaction(async (transaction) => {
    const rows = await transaction.query<{ version: number; since: Date; rotated_by: string; resealed: string }>(
      `UPDATE master_key SET recorded_at = clock_timestamp() WHERE recorded_at IS NULL
       RETURNING version, since, rotated_by, resealed`,
    );
    await options.ledger.append(
      transaction,
      rows.map(({ version, since, rotated_by: by, resealed }) => ({
        id: options.newId("entry"),
        type: "master-key-rotated" as const,
        at: options.now().toISOString(),
        actor: "service:remit",
        data: { version, rotatedAt: since.toISOString(), by, resealed: Number(resealed) },
      })),
    );
  });
}
