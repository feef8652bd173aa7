import { chmod, lstat, mkdir, mkdtemp, readdir, realpath, rename, rm, stat, symlink } from "node:fs/promises";
import { join } from "node:path";
import { RemitError } from "@remit/contract";
import { clusterMajor, initialiseCluster, newPassword, systemIdentifier } from "./cluster.ts";
import type { ClusterRecord } from "./cluster-record.ts";
import { readRecord, writeRecord } from "./cluster-record.ts";
import type { PostgresBinaries } from "./postgres-binaries.ts";
import { freePort } from "./postmaster.ts";
import type { ProcessUser } from "./process-user.ts";

/** Where root keeps clusters whose data folder PostgreSQL's user cannot reach, such as one under /root. */
const defaultReachableFolder = "/var/lib/remit";

const unfinished = ".new-";

/** A cluster and what Remit knows of it: `<home>/data`, `<home>/record.json`, `<home>/server.log`. */
export type ClusterHome = { home: string; cluster: string; major: number; record: ClusterRecord };

/** The place of the cluster in a data folder: a folder, or a link to one that PostgreSQL's user can reach. */
export function clusterHomePath(dataFolder: string): string {
  return join(dataFolder, "postgres");
}

/** Null: none has been made. @throws RemitError `database-mismatch` for one that is not ours. */
export async function readClusterHome(dataFolder: string): Promise<ClusterHome | null> {
  const place = clusterHomePath(dataFolder);
  if (!(await exists(place))) return null;
  const home = await realpath(place).catch((cause: unknown) => {
    throw new RemitError("database-mismatch", `${place} points to a folder that is gone; restore it, or choose another data folder.`, {
      cause,
    });
  });
  const cluster = join(home, "data");
  const record = await readRecord(home);
  const major = await clusterMajor(cluster);
  const identifier = await systemIdentifier(cluster).catch(() => null);
  if (major === null || identifier !== record.cluster) {
    throw new RemitError(
      "database-mismatch",
      `The PostgreSQL cluster in ${cluster} is not the one that this data folder was made with (${identifier ?? "unreadable"} instead of ${record.cluster}). ` +
        "Restore the whole data folder, or choose another one with REMIT_DATA_DIR. Nothing was changed.",
    );
  }
  return { home, cluster, major, record };
}

export type MakeOptions = { dataFolder: string; binaries: PostgresBinaries; user: ProcessUser; reachableFolder?: string };

/** Makes the cluster aside and moves it into place whole: two that start at once make two, and one of them stays. */
export async function makeClusterHome({
  dataFolder,
  binaries,
  user,
  reachableFolder = defaultReachableFolder,
}: MakeOptions): Promise<void> {
  await removeAbandoned(dataFolder);
  const reachable = await user.canEnter(dataFolder);
  const parent = reachable ? dataFolder : reachableFolder;
  if (!reachable) await mkdir(parent, { recursive: true, mode: 0o711 });
  const fresh = await mkdtemp(join(parent, reachable ? `postgres${unfinished}` : "postgres-"));
  const place = clusterHomePath(dataFolder);
  try {
    if (user.root) await chmod(fresh, 0o711);
    const cluster = join(fresh, "data");
    const passwords = { ownerPassword: newPassword(), applicationPassword: newPassword() };
    await initialiseCluster(cluster, binaries, user, passwords.ownerPassword);
    await writeRecord(fresh, { format: 1, cluster: await systemIdentifier(cluster), port: await freePort(), ...passwords });
    if (reachable) await rename(fresh, place);
    else await symlink(fresh, place);
  } catch (error) {
    await rm(fresh, { recursive: true, force: true });
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EEXIST" && code !== "ENOTEMPTY") throw error;
  }
}

/** What a start that was killed left behind. Recent ones may be another starter's, at work. */
async function removeAbandoned(dataFolder: string): Promise<void> {
  for (const name of await readdir(dataFolder)) {
    if (!name.startsWith(`postgres${unfinished}`)) continue;
    const path = join(dataFolder, name);
    const found = await stat(path).catch(() => null);
    if (found && Date.now() - found.mtimeMs > 600_000) await rm(path, { recursive: true, force: true });
  }
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}
