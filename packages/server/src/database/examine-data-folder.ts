import { access, constants, stat, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Client } from "pg";
import { owner } from "./cluster.ts";
import type { ClusterHome } from "./cluster-home.ts";
import { readClusterHome } from "./cluster-home.ts";
import type { Finding } from "./finding.ts";
import { ailing, failed, healthy } from "./finding.ts";
import { isKept } from "./keeper.ts";
import { findPostgres } from "./postgres-binaries.ts";
import { freePort, isAlive, isPostmaster, readPostmaster } from "./postmaster.ts";
import { postgresUser } from "./process-user.ts";

const roomNeeded = 1_000_000_000;

/** What can be said of a data folder and of the PostgreSQL in it without starting it. */
export async function examineDataFolder(dataFolder: string, environment: NodeJS.ProcessEnv): Promise<Finding[]> {
  const findings = [await rights(dataFolder), await room(dataFolder)];
  let home: ClusterHome | null;
  try {
    home = await readClusterHome(dataFolder);
  } catch (error) {
    const fix = "Restore the whole data folder from a backup, or choose another one with REMIT_DATA_DIR.";
    return [...findings, failed("cluster", error, fix)];
  }
  findings.push(await binaries(dataFolder, home, environment));
  if (home === null) return [...findings, healthy("cluster", `No cluster yet in ${dataFolder}; the first start makes one.`)];
  return [...findings, await ownership(home), await server(home), await port(home)];
}

async function rights(dataFolder: string): Promise<Finding> {
  const folder = await nearest(dataFolder);
  try {
    await access(folder, constants.W_OK | constants.X_OK);
    return healthy("data-folder", folder === dataFolder ? `${dataFolder} can be written.` : `${dataFolder} can be made in ${folder}.`);
  } catch {
    const fix = `Run Remit as the owner of ${folder}, or choose another data folder with REMIT_DATA_DIR.`;
    return ailing("data-folder", `${folder} cannot be written by this user.`, fix);
  }
}

async function room(dataFolder: string): Promise<Finding> {
  const { bavail, bsize } = await statfs(await nearest(dataFolder));
  const free = ((bavail * bsize) / 1e9).toFixed(1);
  if (bavail * bsize >= roomNeeded) return healthy("disk-space", `${free} GB are free for ${dataFolder}.`);
  const fix = "Make room: PostgreSQL stops when its disk is full, and Remit then refuses every action.";
  return ailing("disk-space", `Only ${free} GB are free for ${dataFolder}.`, fix);
}

async function nearest(path: string): Promise<string> {
  const exists = await stat(path).then(
    () => true,
    () => false,
  );
  return exists || dirname(path) === path ? path : nearest(dirname(path));
}

async function binaries(dataFolder: string, home: ClusterHome | null, environment: NodeJS.ProcessEnv): Promise<Finding> {
  const user = await postgresUser(home?.cluster);
  const cacheFolder = user.root ? "/var/cache/remit" : join(dataFolder, "binaries");
  const found = await findPostgres({ user, cacheFolder, environment });
  const list = found.map((each) => `${each.version} (${each.folder})`).join(", ");
  if (home !== null && !found.some((each) => each.major === home.major)) {
    const fix = `Install PostgreSQL ${home.major}, or set REMIT_POSTGRES_BIN to the folder of its programs.`;
    return ailing("binaries", `The data was made by PostgreSQL ${home.major}; found: ${list || "none"}.`, fix);
  }
  if (found.length > 0) return healthy("binaries", `PostgreSQL ${list}.`);
  const fix = "Install PostgreSQL 14 or later, set REMIT_POSTGRES_BIN, or set DATABASE_URL to one that is running.";
  return ailing("binaries", "No PostgreSQL programs were found.", fix);
}

async function ownership({ cluster }: ClusterHome): Promise<Finding> {
  const { uid, mode } = await stat(cluster);
  const user = await postgresUser(cluster);
  if (uid !== user.uid) {
    const fix = `Run Remit as user ${uid} or as root, or give the folder away: chown -R ${user.uid} '${cluster}'`;
    return ailing("cluster", `The cluster in ${cluster} belongs to user ${uid}; PostgreSQL would run as ${user.uid}.`, fix);
  }
  if ((mode & 0o027) !== 0) return ailing("cluster", `${cluster} is open to other users.`, `chmod 0700 '${cluster}'`);
  return healthy("cluster", `The cluster in ${cluster} is whole and is its user's alone.`);
}

async function server(home: ClusterHome): Promise<Finding> {
  const postmaster = await readPostmaster(home.cluster);
  if (postmaster === null) return healthy("server", "PostgreSQL is not running; the next start starts it.");
  if (!(await isPostmaster(postmaster.pid, home.cluster))) {
    const what = isAlive(postmaster.pid) ? "is another program now" : "is gone";
    return healthy(
      "server",
      `PostgreSQL was killed: process ${postmaster.pid} of its lock file ${what}. The next start cleans up and recovers.`,
    );
  }
  const running = `PostgreSQL runs as process ${postmaster.pid} on 127.0.0.1:${postmaster.port}`;
  const client = new Client({ connectionString: `postgres://${owner}:${home.record.ownerPassword}@127.0.0.1:${postmaster.port}/postgres` });
  client.on("error", () => {});
  try {
    await client.connect();
    if (await isKept(client)) return healthy("server", `${running} under a Remit server.`);
    const fix = `Start Remit on this data folder: it adopts it. To stop it instead: kill -INT ${postmaster.pid}`;
    return ailing("server", `${running}, but the Remit that started it is gone.`, fix);
  } catch (error) {
    return failed("server", error, `Read its log: ${join(home.home, "server.log")}`);
  } finally {
    await client.end().catch(() => {});
  }
}

async function port({ cluster, record }: ClusterHome): Promise<Finding> {
  const postmaster = await readPostmaster(cluster);
  if (postmaster !== null) return healthy("port", `PostgreSQL's port is ${postmaster.port}.`);
  const free = (await freePort(record.port)) === record.port;
  return healthy(
    "port",
    free ? `Port ${record.port} is free.` : `Port ${record.port} is taken by another program; the next start takes another.`,
  );
}
