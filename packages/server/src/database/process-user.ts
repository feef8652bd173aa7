import { execFile } from "node:child_process";
import { chown, stat } from "node:fs/promises";
import { promisify } from "node:util";

const execute = promisify(execFile);

/** Who runs PostgreSQL. It refuses to run as root; root runs it as `nobody`, for whom no account need be made. */
export type ProcessUser = {
  uid: number;
  /** Options for `spawn`. */
  spawn: { uid?: number; gid?: number };
  root: boolean;
  /** Gives a file or folder to the user. */
  own(path: string): Promise<void>;
  /** Can the user pass through this folder? Asked of the kernel as that user, so that access lists and mounts count. */
  canEnter(folder: string): Promise<boolean>;
};

const nobody = { uid: 65_534, gid: 65_534 };

/** For a cluster that exists, root runs it as whoever owns it: somebody may have made it before without being root. */
export async function postgresUser(clusterFolder?: string): Promise<ProcessUser> {
  const root = process.getuid?.() === 0;
  const spawn: ProcessUser["spawn"] = root ? ((await ownerOf(clusterFolder)) ?? nobody) : {};
  return {
    uid: spawn.uid ?? process.getuid?.() ?? -1,
    spawn,
    root,
    own: async (path) => {
      if (spawn.uid !== undefined && spawn.gid !== undefined) await chown(path, spawn.uid, spawn.gid);
    },
    canEnter: (folder) =>
      execute("test", ["-x", folder], { ...spawn, cwd: "/" }).then(
        () => true,
        () => false,
      ),
  };
}

async function ownerOf(folder: string | undefined): Promise<{ uid: number; gid: number } | null> {
  if (folder === undefined) return null;
  const found = await stat(folder).catch(() => null);
  return found === null || found.uid === 0 ? null : { uid: found.uid, gid: found.gid };
}
