import { createReadStream } from "node:fs";
import { createPublicKey } from "node:crypto";
import { once } from "node:events";
import { finished } from "node:stream/promises";
import type { LedgerVerdict } from "@remit/contract";
import { RemitError } from "@remit/contract";
import { equal, merkleTree, openNote, parseCheckpoint } from "@remit/core";
import { Client } from "pg";
import { from } from "pg-copy-streams";
import { openDatabase, unreachable } from "../database/database.postgres.ts";
import { migrate, readMigrations } from "../database/migrate.ts";
import { defaultOrigin, ledgerVerifier, sha256Tree } from "../ledger/ledger-key.ts";
import { createLedgerRows } from "../ledger/ledger-rows.postgres.ts";
import { verifyLedger } from "../ledger/verify-ledger.ts";
import { readArchive } from "./archive.ts";
import type { BackupHeader, BackupTable } from "./backup-header.ts";
import { parseHeader, parseTable } from "./backup-header.ts";

export type RestoreOptions = {
  /** The owner of an empty database. */
  url: string;
  file: string;
  applicationPassword?: string;
  /** The newest checkpoint that somebody outside has seen, as the signed note that it is. */
  witnessed?: string;
  /** Who knows that entries are lost, and why that has to be. */
  acknowledged?: { by: string; reason: string };
  /** What the ledger calls itself, where that is not the default. */
  origin?: string;
};

export type Restored = {
  takenAt: string;
  instance: string;
  tables: number;
  verdict: LedgerVerdict;
  /** Null: nobody outside has seen more than was restored. */
  rollback: { restored: number; witnessed: number } | null;
  /** Whether servers start on it. */
  verified: boolean;
};

/**
 * Restores a backup into an empty database, all of it or nothing, and verifies its ledger. Servers refuse to start on it until that has
 * succeeded: also against what was seen outside, where more entries than these mean that the ledger has gone back.
 *
 * @throws RemitError `conflict` (not empty) | `invalid-request` (damaged) | `schema-newer` | `database-mismatch` | `database-unavailable`
 */
export async function restore(options: RestoreOptions): Promise<Restored> {
  const frames = readArchive(createReadStream(options.file));
  const first = await frames.next();
  if (first.done === true || first.value.kind !== "header") throw new RemitError("invalid-request", "The backup has no header.");
  const header = parseHeader(first.value.payload);
  const only = await knownMigrations(header);
  const client = new Client({ connectionString: options.url, application_name: "remit restore", connectionTimeoutMillis: 10_000 });
  client.on("error", () => {});
  await client.connect().catch((error: unknown) => {
    throw unreachable(error);
  });
  let tables = 0;
  try {
    await requireEmpty(client);
    const { applicationPassword } = options;
    await migrate({ url: options.url, only, ...(applicationPassword === undefined ? {} : { applicationPassword }) });
    // What fails ends with the connection: in the middle of a COPY there is no asking for a ROLLBACK.
    await client.query("BEGIN");
    tables = await load(client, frames);
    const { checkpoint, takenAt } = header;
    await client.query("INSERT INTO restoration (taken_at, size, root) VALUES ($1, $2, $3)", [
      takenAt,
      checkpoint?.size ?? 0,
      Buffer.from(checkpoint?.root ?? "", "base64"),
    ]);
    await client.query("COMMIT");
    await client.query("ANALYZE");
    return { ...(await judge(client, options, header)), takenAt: header.takenAt, instance: header.instance, tables };
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** The numbers of the backup's migrations, each of which this version has. */
async function knownMigrations({ migrations }: BackupHeader): Promise<number[]> {
  const mine = new Map((await readMigrations()).map(({ number, sha256 }) => [number, sha256]));
  for (const { number, name, sha256 } of migrations) {
    if (mine.get(number) === sha256) continue;
    throw new RemitError(
      "schema-newer",
      `The backup was made under migration ${name}, which this version of Remit does not have. Restore it with the version that made it.`,
    );
  }
  if (!migrations.some(({ number }) => number === 22)) {
    throw new RemitError("database-mismatch", "The backup is of a version that could not be restored yet (before migration 000022).");
  }
  return migrations.map(({ number }) => number);
}

async function requireEmpty(client: Client): Promise<void> {
  const { rows } = await client.query<{ ledger: string | null }>("SELECT to_regclass('public.ledger_entry')::text AS ledger");
  if (rows[0]?.ledger === null) return;
  const entries = await client.query("SELECT FROM ledger_entry LIMIT 1");
  if (entries.rowCount === 0) return;
  throw new RemitError(
    "conflict",
    "The database is not empty: it has a ledger. A backup is restored into an empty one. Nothing was changed.",
  );
}

type Frames = ReturnType<typeof readArchive>;

/** All tables as they are in the backup. Within one transaction: a file that turns out to be damaged leaves nothing behind. */
async function load(client: Client, frames: Frames): Promise<number> {
  const { rows } = await client.query<{ name: string }>(
    "SELECT quote_ident(relname) AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace",
  );
  await client.query(`TRUNCATE ${rows.map(({ name }) => name).join(", ")}`);
  // What is restored has happened already: nothing follows from it a second time.
  for (const { name } of rows) await client.query(`ALTER TABLE ${name} DISABLE TRIGGER USER`);
  let current: { table: BackupTable; copy: ReturnType<typeof copyInto> } | null = null;
  let count = 0;
  const close = async (): Promise<void> => {
    if (current === null) return;
    const { table, copy } = current;
    current = null;
    copy.end();
    await finished(copy);
    for (const [sequence, value] of Object.entries(table.sequences)) {
      await client.query("SELECT setval(quote_ident($1)::regclass, $2::bigint)", [sequence, value]);
    }
  };
  for await (const { kind, payload } of frames) {
    if (kind === "table") {
      await close();
      const table = parseTable(payload);
      current = { table, copy: copyInto(client, table) };
      count += 1;
    } else if (kind === "rows" && current !== null) {
      // A copy: the reader goes on in the same memory.
      if (!current.copy.write(Buffer.from(payload))) await once(current.copy, "drain");
    } else throw new RemitError("invalid-request", "The backup is damaged: its parts are in no order that makes sense.");
  }
  await close();
  for (const { name } of rows) await client.query(`ALTER TABLE ${name} ENABLE TRIGGER USER`);
  return count;
}

function copyInto(client: Client, { table, columns }: BackupTable) {
  const names = columns.map((column) => client.escapeIdentifier(column)).join(", ");
  const copy = client.query(from(`COPY ${client.escapeIdentifier(table)} (${names}) FROM STDIN`));
  // Whoever writes next, or waits for its end, learns of it; the end of the connection, after a failure, is none.
  copy.on("error", () => undefined);
  return copy;
}

/** Verifies what was restored, compares it with what was seen outside, and lets servers start where both are well. */
async function judge(
  client: Client,
  { url, witnessed, acknowledged, origin = defaultOrigin }: RestoreOptions,
  header: BackupHeader,
): Promise<Pick<Restored, "verdict" | "rollback" | "verified">> {
  const database = openDatabase({ url, poolSize: 2 });
  try {
    const rows = createLedgerRows(database);
    const verdict = await verifyLedger({ rows, origin, graceMs: longAgoMs });
    if (verdict.size !== (header.checkpoint?.size ?? 0)) {
      throw new RemitError("database-mismatch", `The backup says ${header.checkpoint?.size ?? 0} entries, and ${verdict.size} are in it.`);
    }
    let rollback: Restored["rollback"] = null;
    if (witnessed !== undefined) {
      const keys = (await rows.publicKeys()).map((key) => createPublicKey({ key, format: "der", type: "spki" }));
      const text = openNote(
        witnessed,
        keys.map((key) => ledgerVerifier(key, origin)),
      );
      const seen = text === null ? null : parseCheckpoint(text);
      if (seen === null) throw new RemitError("invalid-request", "The witnessed checkpoint is not signed by a key of this ledger.");
      if (seen.size > verdict.size) rollback = { restored: verdict.size, witnessed: seen.size };
      else if (!equal(await rootAt(rows, seen.size), seen.root)) {
        throw new RemitError(
          "database-mismatch",
          `The ledger in the backup is not the one whose ${seen.size} entries were witnessed. It is not to be used.`,
        );
      }
    }
    const verified = verdict.ok && (rollback === null || acknowledged !== undefined);
    await client.query(
      `UPDATE restoration SET witnessed_size = $1, acknowledged_by = $2, reason = $3, verified_at = CASE WHEN $4 THEN clock_timestamp() END
       WHERE id = (SELECT max(id) FROM restoration)`,
      [rollback?.witnessed ?? null, acknowledged?.by ?? null, acknowledged?.reason ?? null, verified],
    );
    return { verdict, rollback, verified };
  } finally {
    await database.close();
  }
}

/** What waited for its place when the backup was made goes on waiting until a server starts: that is no fault. */
const longAgoMs = 50 * 365 * 86_400_000;

/** The root of the first so many entries. */
async function rootAt(rows: ReturnType<typeof createLedgerRows>, size: number): Promise<Uint8Array> {
  const tree = merkleTree(sha256Tree);
  for (let start = 0; start < size; start += 1_000) {
    for (const { leafHash } of await rows.leaves(start, Math.min(size, start + 1_000))) tree.append(leafHash);
    tree.takeTiles();
  }
  return tree.root();
}
