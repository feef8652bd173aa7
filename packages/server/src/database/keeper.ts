import { setTimeout as sleep } from "node:timers/promises";
import { RemitError } from "@remit/contract";
import { Client } from "pg";
import { owner } from "./cluster.ts";

/** The right to look after a cluster, for as long as its connection lives. */
export type Keeper = {
  /** Resolves when the connection has ended, by whatever cause. */
  lost: Promise<void>;
  release(): Promise<void>;
};

const lockKey = 7_236_518_420_562n;

/**
 * Takes the lock that makes this process the one keeper of its cluster. A lock of PostgreSQL rather than a file:
 * it ends with its holder, however that one ends, and is never stale.
 *
 * @throws RemitError `conflict` when another process has it.
 */
export async function keep(url: string, dataFolder: string): Promise<Keeper> {
  const client = new Client({ connectionString: url, application_name: `remit keeper ${process.pid}`, keepAlive: true });
  const lost = new Promise<void>((resolve) => {
    client.on("error", () => resolve());
    client.on("end", () => resolve());
  });
  await client.connect();
  try {
    await take(client, dataFolder);
    const existing = await client.query("SELECT FROM pg_database WHERE datname = $1", [owner]);
    if (existing.rowCount === 0) await client.query(`CREATE DATABASE ${owner}`);
  } catch (error) {
    await client.end();
    throw error;
  }
  return { lost, release: () => client.end() };
}

async function take(client: Client, dataFolder: string): Promise<void> {
  // A holder that was killed a moment ago still shows for as long as its backend takes to notice.
  for (let attempt = 0; attempt < 40; attempt += 1) {
    const { rows } = await client.query<{ taken: boolean }>("SELECT pg_try_advisory_lock($1) AS taken", [lockKey]);
    if (rows[0]?.taken === true) return;
    await sleep(50);
  }
  const { rows } = await client.query<{ name: string }>(
    "SELECT application_name AS name FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' AND granted AND application_name LIKE 'remit keeper %'",
  );
  const holder = rows[0]?.name.replace("remit keeper", "process") ?? "another process";
  throw new RemitError(
    "conflict",
    `A Remit server is already running on the data folder ${dataFolder} (${holder}). Use that one, stop it first, ` +
      "or choose another folder with REMIT_DATA_DIR. Several servers can share one database: give each the same DATABASE_URL.",
  );
}

/** Does anybody look after this cluster? Asked on a connection to the database that the keeper's lock is in. */
export async function isKept(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ taken: boolean }>("SELECT pg_try_advisory_lock($1) AS taken", [lockKey]);
  if (rows[0]?.taken === true) await client.query("SELECT pg_advisory_unlock($1)", [lockKey]);
  return rows[0]?.taken !== true;
}
