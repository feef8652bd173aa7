import { setTimeout as sleep } from "node:timers/promises";
import { RemitError } from "@remit/contract";
import { bindInstance, prepareDataFolder } from "./data-folder.ts";
import type { Database } from "./database.ts";
import { openDatabase } from "./database.postgres.ts";
import { startEmbeddedPostgres } from "./embedded-postgres.ts";
import type { Migrated } from "./migrate.ts";
import { migrate } from "./migrate.ts";
import type { Notices } from "./notices.ts";
import { openNotices } from "./notices.postgres.ts";

export type StartDatabaseOptions = {
  dataFolder: string;
  /** A PostgreSQL that somebody else runs. Without it, one of our own is started in the data folder. */
  url?: string;
  /** The login that owns the schema, where `url` is a login that is only the application. */
  ownerUrl?: string;
  poolSize?: number;
  /** Where the migrations are, other than this version's own. */
  migrations?: string;
  log?: (line: string) => void;
};

export type StartedDatabase = Migrated & {
  database: Database;
  /** For what has a schema of its own beside ours. */
  ownerUrl: string;
  /** What is announced by any server that shares this database. */
  notices(on: { channel: string; onNotice: () => void; onError: (error: unknown) => void }): Notices;
  /** Null: it is somebody else's. */
  embedded: { version: string; adopted: boolean; cluster: string } | null;
  /** Closes the pool, and stops the PostgreSQL that is ours. */
  stop(): Promise<void>;
};

/** The one way to the database: found or started, migrated, bound to the data folder, and opened as the application. */
export async function startDatabase(options: StartDatabaseOptions): Promise<StartedDatabase> {
  return options.url === undefined ? startOwn(options) : useGiven(options, options.url);
}

async function startOwn({ dataFolder, poolSize, migrations, log }: StartDatabaseOptions): Promise<StartedDatabase> {
  const postgres = await startEmbeddedPostgres({ dataFolder, ...(log && { log }) });
  try {
    const migrated = await migrate({
      url: postgres.ownerUrl,
      applicationPassword: postgres.applicationPassword,
      ...(migrations !== undefined && { folder: migrations }),
    });
    await bindInstance(dataFolder, migrated.instance);
    const database = openDatabase({ url: postgres.applicationUrl, role: null, ...(poolSize && { poolSize }) });
    const { ownerUrl, version, adopted, cluster } = postgres;
    const stop = async () => {
      await database.close();
      await postgres.stop();
    };
    const notices: StartedDatabase["notices"] = (on) => openNotices({ url: postgres.applicationUrl, ...on });
    return { ...migrated, database, ownerUrl, notices, embedded: { version, adopted, cluster }, stop };
  } catch (error) {
    await postgres.stop();
    throw error;
  }
}

async function useGiven({ dataFolder, ownerUrl, poolSize, migrations, log }: StartDatabaseOptions, url: string): Promise<StartedDatabase> {
  await prepareDataFolder(dataFolder, false);
  const migrated = await whenUp(() => migrate({ url: ownerUrl ?? url, ...(migrations !== undefined && { folder: migrations }) }), log);
  await bindInstance(dataFolder, migrated.instance);
  const database = openDatabase({ url, ...(ownerUrl !== undefined && { role: null }), ...(poolSize && { poolSize }) });
  const notices: StartedDatabase["notices"] = (on) => openNotices({ url, ...on });
  return { ...migrated, database, ownerUrl: ownerUrl ?? url, notices, embedded: null, stop: () => database.close() };
}

/** A database that is started together with us may be later than us by some seconds. */
async function whenUp<Result>(connect: () => Promise<Result>, log: StartDatabaseOptions["log"]): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await connect();
    } catch (error) {
      if (attempt === 15 || !isStarting(error)) throw error;
      if (attempt === 1) log?.("The database is not up yet; waiting for it.");
      await sleep(1_000);
    }
  }
}

function isStarting(error: unknown): boolean {
  if (!RemitError.is(error)) return false;
  const { code } = (error.cause ?? {}) as { code?: unknown };
  return code === "ECONNREFUSED" || code === "57P03";
}
