import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { RemitError } from "@remit/contract";
import { Client, DatabaseError } from "pg";
import { applicationRole, unreachable } from "./database.postgres.ts";

/** Where the migrations of this version are. */
export const migrationsFolder = fileURLToPath(new URL("../../sql", import.meta.url));

export type Migration = {
  number: number;
  name: string;
  sql: string;
  sha256: string;
  /** It only adds: servers of the version before go on beside it. One that takes something away says so, in a line `-- contracts`. */
  expands: boolean;
};

export type Migrated = { instance: string; applied: string[]; schema: number };

export type MigrateOptions = {
  /** A login that owns the schema. */
  url: string;
  folder?: string;
  /** These and no others: a backup is restored under the schema that it was made under. */
  only?: readonly number[];
  /** Lets the application's role log in with this password. Without it the role has no login and is taken with SET ROLE. */
  applicationPassword?: string;
};

/** Any constant does, as long as every version of Remit uses this one: it keeps two starters from migrating at once. */
const lockKey = 7_236_518_420_561n;

const oldestSupported = 140_000;

/** The numbered migrations of a folder, in order. @throws RemitError `invalid-configuration` for a file that is misnamed or numbered twice. */
export async function readMigrations(folder: string = migrationsFolder): Promise<Migration[]> {
  const files = (await readdir(folder)).filter((file) => file.endsWith(".sql")).sort();
  const migrations: Migration[] = [];
  for (const file of files) {
    const number = Number(/^(\d{6})-[a-z0-9-]+\.sql$/.exec(file)?.[1] ?? Number.NaN);
    if (Number.isNaN(number) || migrations.at(-1)?.number === number) {
      throw new RemitError("invalid-configuration", `Migration ${file} must be named NNNNNN-name.sql with a number of its own.`);
    }
    const sql = await readFile(join(folder, file), "utf8");
    const expands = !/^-- contracts\b/m.test(sql);
    migrations.push({ number, name: file, sql, sha256: createHash("sha256").update(sql).digest("hex"), expands });
  }
  return migrations;
}

/**
 * Brings the schema up to this version: each file in one transaction, with a row that says so.
 * Several servers may start at once; they wait for each other.
 *
 * @throws RemitError `schema-newer` | `database-mismatch` | `database-unavailable` | `invalid-configuration`
 */
export async function migrate({ url, folder, only, applicationPassword }: MigrateOptions): Promise<Migrated> {
  const migrations = (await readMigrations(folder)).filter(({ number }) => only?.includes(number) ?? true);
  const client = new Client({ connectionString: url, application_name: "remit migrate", connectionTimeoutMillis: 10_000 });
  client.on("error", () => {});
  await client.connect().catch((error: unknown) => {
    throw unreachable(error);
  });
  try {
    await refuseOldServer(client);
    // A session lock, released when this connection ends, whatever happens to this process.
    await client.query("SELECT pg_advisory_lock($1)", [lockKey]);
    await prepare(client, applicationPassword);
    const applied = await applyPending(client, migrations);
    const [instance] = (await client.query<{ id: string }>("SELECT id FROM remit_instance")).rows;
    if (!instance) throw new RemitError("database-mismatch", "The table remit_instance of this database is empty; it was tampered with.");
    return { instance: instance.id, applied, schema: migrations.at(-1)?.number ?? 0 };
  } finally {
    await client.end().catch(() => {});
  }
}

async function applyPending(client: Client, migrations: readonly Migration[]): Promise<string[]> {
  const known = new Map(migrations.map((migration) => [migration.number, migration]));
  const done = await client.query<MigrationRow>("SELECT number, name, sha256, expands FROM remit_migration ORDER BY number");
  for (const row of done.rows) refuseUnknown(row, known.get(row.number), migrations.at(-1));
  const doneNumbers = new Set(done.rows.map((row) => row.number));
  const pending = migrations.filter((migration) => !doneNumbers.has(migration.number));
  for (const migration of pending) {
    if (!migration.expands) await refuseBesideOthers(client, migration);
    await applyOnceLocked(client, migration);
  }
  return pending.map((migration) => migration.name);
}

type MigrationRow = { number: number; name: string; sha256: string; expands: boolean };

function refuseUnknown(row: MigrationRow, mine: Migration | undefined, newest: Migration | undefined): void {
  // A later version has only added to what this one knows: during an upgrade the two run side by side.
  if (!mine && row.expands) return;
  if (!mine) {
    throw new RemitError(
      "schema-newer",
      `This database was migrated to ${row.name}; this version of Remit knows migrations up to ${newest?.name ?? "none"}. ` +
        "Start the version of Remit that migrated it, or a later one. Schemas are never migrated back; to go back, restore a backup.",
    );
  }
  if (mine.sha256 !== row.sha256) {
    throw new RemitError(
      "database-mismatch",
      `Migration ${row.name} was changed after this database applied it. Restore the file as it was released and add a new migration, ` +
        "or, if the database holds nothing that you need, start from an empty one.",
    );
  }
}

/** @throws RemitError `conflict` where servers run that still use what it takes away. */
async function refuseBesideOthers(client: Client, { name }: Migration): Promise<void> {
  const { rows: there } = await client.query<{ there: boolean }>("SELECT to_regclass('server_instance') IS NOT NULL AS there");
  if (there[0]?.there !== true) return;
  const { rowCount: alive } = await client.query(
    "SELECT FROM server_instance WHERE heartbeat_at > clock_timestamp() - interval '5 seconds'",
  );
  if (alive === 0) return;
  throw new RemitError(
    "conflict",
    `Migration ${name} takes away what running servers use, and ${alive} of an earlier version are running on this database. ` +
      "Stop them, wait ten seconds, and start this version again.",
  );
}

/** Whatever a migration waits for, everybody else waits behind it: it waits for a moment only, and tries again. */
async function applyOnceLocked(client: Client, migration: Migration): Promise<void> {
  for (let left = 60; ; left -= 1) {
    try {
      return await apply(client, migration);
    } catch (error) {
      const { cause } = error as { cause?: unknown };
      if (left === 0 || !(cause instanceof DatabaseError) || (cause.code !== "55P03" && cause.code !== "40P01")) throw error;
      await sleep(500);
    }
  }
}

async function apply(client: Client, migration: Migration): Promise<void> {
  await client.query("BEGIN");
  try {
    await client.query("SET LOCAL lock_timeout = '1s'");
    await client.query(migration.sql);
    await client.query("INSERT INTO remit_migration (number, name, sha256, expands) VALUES ($1, $2, $3, $4)", [
      migration.number,
      migration.name,
      migration.sha256,
      migration.expands,
    ]);
    await client.query("COMMIT");
  } catch (error) {
    await client.query("ROLLBACK").catch(() => {});
    const words = error instanceof DatabaseError ? `${error.message}${lineOf(migration.sql, error.position)}` : String(error);
    throw new RemitError("invalid-configuration", `Migration ${migration.name} failed and left nothing behind: ${words}`, { cause: error });
  }
}

function lineOf(sql: string, position: string | undefined): string {
  return position === undefined ? "" : ` (line ${sql.slice(0, Number(position)).split("\n").length})`;
}

async function refuseOldServer(client: Client): Promise<void> {
  const { rows } = await client.query<{ number: string; version: string }>(
    "SELECT current_setting('server_version_num') AS number, current_setting('server_version') AS version",
  );
  if (Number(rows[0]?.number) < oldestSupported) {
    throw new RemitError("database-mismatch", `Remit needs PostgreSQL 14 or later; this server is ${rows[0]?.version}.`);
  }
}

async function prepare(client: Client, applicationPassword: string | undefined): Promise<void> {
  await makeRole(client, applicationPassword);
  await client.query(`
    CREATE TABLE IF NOT EXISTS remit_migration (
      number     integer PRIMARY KEY,
      name       text NOT NULL,
      sha256     text NOT NULL,
      applied_at timestamptz NOT NULL DEFAULT now()
    );
    ALTER TABLE remit_migration ADD COLUMN IF NOT EXISTS expands boolean NOT NULL DEFAULT false;
    -- One row: which Remit this database is. A data folder remembers it, so that keys and database cannot be mixed up.
    CREATE TABLE IF NOT EXISTS remit_instance (
      one        boolean PRIMARY KEY DEFAULT true CHECK (one),
      id         uuid NOT NULL DEFAULT gen_random_uuid(),
      created_at timestamptz NOT NULL DEFAULT now()
    );
    INSERT INTO remit_instance DEFAULT VALUES ON CONFLICT DO NOTHING;
    GRANT SELECT ON remit_migration, remit_instance TO ${applicationRole};
  `);
}

/** Roles belong to the whole server, so another database's migration may make this one at the same moment. */
async function makeRole(client: Client, password: string | undefined): Promise<void> {
  try {
    await client.query(`
      DO $$ BEGIN
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${applicationRole}') THEN
          CREATE ROLE ${applicationRole} NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE;
        END IF;
        IF NOT pg_has_role(current_user, '${applicationRole}', 'MEMBER') THEN
          GRANT ${applicationRole} TO CURRENT_USER;
        END IF;
      EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
      END $$`);
    if (password !== undefined) {
      await client.query(`ALTER ROLE ${applicationRole} LOGIN PASSWORD ${client.escapeLiteral(password)}`);
    }
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    throw new RemitError(
      "invalid-configuration",
      `The role ${applicationRole} cannot be made by this login (${words}). As an administrator of the server, run: ` +
        `CREATE ROLE ${applicationRole} NOLOGIN; GRANT ${applicationRole} TO <the login of DATABASE_URL>;`,
      { cause: error },
    );
  }
}
