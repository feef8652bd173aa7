import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { Client } from "pg";
import { to } from "pg-copy-streams";
import { remitInfo } from "../mcp/mcp-protocol.ts";
import { unreachable } from "../database/database.postgres.ts";
import { createArchiveWriter } from "./archive.ts";
import type { BackupHeader, BackupTable } from "./backup-header.ts";
import { backupFormat } from "./backup-header.ts";

export type BackedUp = { file: string; takenAt: string; tables: number; bytes: number; entries: number; root: string | null };

/**
 * Writes everything that the database holds, as of one moment, to one file: a logical copy, so that it can be restored into another
 * version of PostgreSQL. Servers go on meanwhile. Keys in it are sealed with the master key, which is not in it.
 */
export async function backUp({ url, file }: { url: string; file: string }): Promise<BackedUp> {
  const client = new Client({ connectionString: url, application_name: "remit backup", connectionTimeoutMillis: 10_000, keepAlive: true });
  client.on("error", () => {});
  await client.connect().catch((error: unknown) => {
    throw unreachable(error);
  });
  const partial = `${file}.partial`;
  try {
    await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    const header = await readHeader(client);
    const tables = await readTables(client);
    const output = createWriteStream(partial, { mode: 0o600, flush: true });
    const archive = createArchiveWriter(output);
    await archive.write("header", Buffer.from(JSON.stringify(header)));
    for (const table of tables) {
      await archive.write("table", Buffer.from(JSON.stringify(table)));
      const columns = table.columns.map((column) => client.escapeIdentifier(column)).join(", ");
      const rows = client.query(to(`COPY ${client.escapeIdentifier(table.table)} (${columns}) TO STDOUT`));
      for await (const chunk of rows) await archive.write("rows", chunk as Buffer);
    }
    await archive.end();
    await rename(partial, file);
    const { takenAt, checkpoint } = header;
    return {
      file,
      takenAt,
      tables: tables.length,
      bytes: output.bytesWritten,
      entries: checkpoint?.size ?? 0,
      root: checkpoint?.root ?? null,
    };
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function readHeader(client: Client): Promise<BackupHeader> {
  const [{ id, at } = { id: "", at: new Date(0) }] = (
    await client.query<{ id: string; at: Date }>("SELECT id, transaction_timestamp() AS at FROM remit_instance")
  ).rows;
  const migrations = await client.query<{ number: number; name: string; sha256: string }>(
    "SELECT number, name, sha256 FROM remit_migration ORDER BY number",
  );
  const [last] = (
    await client.query<{ size: string; root: Buffer; note: string }>(
      "SELECT size, root, note FROM ledger_checkpoint ORDER BY size DESC LIMIT 1",
    )
  ).rows;
  return {
    format: backupFormat,
    version: remitInfo.version,
    takenAt: at.toISOString(),
    instance: id,
    migrations: migrations.rows,
    checkpoint: last === undefined ? null : { size: Number(last.size), root: last.root.toString("base64"), note: last.note },
  };
}

/** Tables that hold rows themselves, those that others refer to first. What is computed is not copied. */
async function readTables(client: Client): Promise<BackupTable[]> {
  const { rows } = await client.query<BackupTable & { needs: string[] }>(`
    SELECT c.relname AS table,
      ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum) AS columns,
      ARRAY(SELECT DISTINCT confrelid::regclass::text FROM pg_constraint WHERE conrelid = c.oid AND contype = 'f' AND confrelid <> c.oid) AS needs,
      coalesce((SELECT jsonb_object_agg(q.sequencename, q.last_value::text)
        FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S' JOIN pg_sequences q ON q.sequencename = s.relname AND q.schemaname = 'public'
        WHERE d.refobjid = c.oid AND q.last_value IS NOT NULL), '{}') AS sequences
    FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace ORDER BY c.relname`);
  const ordered: BackupTable[] = [];
  const placed = new Set<string>();
  const place = (row: (typeof rows)[number]): void => {
    if (placed.has(row.table)) return;
    placed.add(row.table);
    for (const need of rows) if (row.needs.includes(need.table)) place(need);
    ordered.push({ table: row.table, columns: row.columns, sequences: row.sequences });
  };
  for (const row of rows) place(row);
  return ordered;
}
