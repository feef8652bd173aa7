import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Client } from "pg";
import { applicationRole } from "./database.postgres.ts";
import type { Finding } from "./finding.ts";
import { ailing, failed, healthy } from "./finding.ts";
import { readMigrations } from "./migrate.ts";

/** What is appended to and never changed, whatever else the application may do. */
const appendOnly = ["ledger_entry", "ledger_payload", "ledger_leaf", "ledger_tile", "ledger_checkpoint"];

/** What can be said of a database that answers. Reads only. */
export async function examineDatabase(client: Client, dataFolder: string): Promise<Finding[]> {
  const checks = { schema, identity, role, ledger, durability, clock };
  const findings: Finding[] = [];
  for (const [name, check] of Object.entries(checks)) {
    const fix = "Start Remit once with a login that owns the schema; it migrates the database.";
    findings.push(await check(client, dataFolder).catch((error: unknown) => failed(name, error, fix)));
  }
  return findings;
}

async function one<Row extends object>(client: Client, sql: string, values: unknown[] = []): Promise<Row> {
  const { rows } = await client.query<Row>(sql, values);
  const [row] = rows;
  if (!row) throw new Error(`nothing was found by: ${sql}`);
  return row;
}

async function schema(client: Client): Promise<Finding> {
  const mine = await readMigrations();
  const { rows } = await client.query<{ number: number; name: string; sha256: string }>(
    "SELECT number, name, sha256 FROM remit_migration ORDER BY number",
  );
  const unknown = rows.find((row) => !mine.some((migration) => migration.number === row.number));
  if (unknown) {
    const fix = "Start the version of Remit that migrated it, or a later one; to go back, restore a backup.";
    return ailing("schema", `The schema is newer than this version of Remit: ${unknown.name}.`, fix);
  }
  const changed = rows.find((row) => mine.some((migration) => migration.number === row.number && migration.sha256 !== row.sha256));
  if (changed) return ailing("schema", `${changed.name} was changed after it was applied.`, "Restore the file as it was released.");
  const missing = mine.length - rows.length;
  return healthy(
    "schema",
    missing === 0 ? `The schema is that of this version.` : `${missing} migrations are to come; the next start applies them.`,
  );
}

async function identity(client: Client, dataFolder: string): Promise<Finding> {
  const { id } = await one<{ id: string }>(client, "SELECT id FROM remit_instance");
  const bound = (await readFile(join(dataFolder, "instance"), "utf8").catch(() => "")).trim();
  if (bound === "" || bound === id) return healthy("identity", `The database is ${id}, and the data folder is that of it.`);
  const fix =
    "Use the data folder that goes with this database (REMIT_DATA_DIR), or the database that goes with this folder (DATABASE_URL).";
  return ailing("identity", `The data folder belongs to database ${bound}, but this one is ${id}.`, fix);
}

async function role(client: Client): Promise<Finding> {
  const found = await one<{ powers: string[] }>(
    client,
    `SELECT array_remove(ARRAY[
       CASE WHEN rolsuper THEN 'is a superuser' END,
       CASE WHEN rolbypassrls THEN 'bypasses row security' END,
       CASE WHEN rolcreaterole THEN 'may create roles' END,
       CASE WHEN has_schema_privilege(oid, 'public', 'CREATE') THEN 'may create tables' END,
       CASE WHEN EXISTS (SELECT FROM pg_class WHERE relowner = pg_roles.oid) THEN 'owns tables' END
     ], NULL) AS powers FROM pg_roles WHERE rolname = $1`,
    [applicationRole],
  );
  if (found.powers.length === 0) return healthy("role", `${applicationRole} has what the migrations grant and no more.`);
  const fix = `As the owner: ALTER ROLE ${applicationRole} NOSUPERUSER NOBYPASSRLS NOCREATEROLE; REVOKE CREATE ON SCHEMA public FROM PUBLIC, ${applicationRole};`;
  return ailing("role", `${applicationRole} ${found.powers.join(", ")}.`, fix);
}

async function ledger(client: Client): Promise<Finding> {
  const { rows } = await client.query<{ name: string; right: string }>(
    `SELECT name, r AS right FROM unnest($1::text[]) AS name, unnest(ARRAY['UPDATE', 'DELETE', 'TRUNCATE']) AS r
      WHERE has_table_privilege($2, name, r) OR (r = 'UPDATE' AND has_any_column_privilege($2, name, r))`,
    [appendOnly, applicationRole],
  );
  if (rows.length === 0) return healthy("ledger", "The application cannot change or delete a row of the ledger.");
  const fix = `As the owner: REVOKE UPDATE, DELETE, TRUNCATE ON ${appendOnly.join(", ")} FROM ${applicationRole}, PUBLIC; then: remit audit verify`;
  return ailing("ledger", `The application may ${rows.map((row) => `${row.right} ${row.name}`).join(", ")}.`, fix);
}

async function durability(client: Client): Promise<Finding> {
  const { rows } = await client.query<{ name: string; setting: string }>(
    "SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND setting = 'off' ORDER BY name",
  );
  if (rows.length === 0) return healthy("durability", "What is committed is on disk.");
  const fix = "Turn them on in postgresql.conf and reload: an action must not run before its intent is on disk.";
  return ailing(
    "durability",
    `Off in this PostgreSQL: ${rows.map((row) => row.name).join(", ")}. A power cut can lose what was committed.`,
    fix,
  );
}

async function clock(client: Client): Promise<Finding> {
  const before = Date.now();
  const { at } = await one<{ at: Date }>(client, "SELECT clock_timestamp() AS at");
  // Its clock was read at some moment in between; only what lies outside of that is a difference.
  const off = Math.max(before - at.getTime(), at.getTime() - Date.now(), 0);
  if (off <= 1_000) return healthy("clock", "This machine's clock and the database's agree.");
  const fix = "Synchronise both clocks (NTP): expiry of approvals and tokens is judged by them.";
  return ailing("clock", `This machine's clock and the database's are ${(off / 1_000).toFixed(1)} s apart.`, fix);
}
