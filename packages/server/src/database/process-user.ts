import { execFile } from "node:child_process";
import { chown } from "node:fs/promises";
import { promisify } from "node:util";

const execute = promisify(execFile);

/** Who runs PostgreSQL. It refuses to run as root; root runs it as `nobody`, for whom no account need be made. */
export type ProcessUser = {
  /** Options for `spawn`. */
  spawn: { uid?: number; gid?: number };
  root: boolean;
  /** Gives a file or folder to the user. */
  own(path: string): Promise<void>;
  /** Can the user pass through this folder? Asked of the kernel as that user, so that access lists and mounts count. */
  canEnter(folder: string): Promise<boolean>;
};

const nobody = 65_534;

export function postgresUser(): ProcessUser {
  const root = process.getuid?.() === 0;
  const spawn = root ? { uid: nobody, gid: nobody } : {};
  return {
    spawn,
    root,
    own: async (path) => {
      if (root) await chown(path, nobody, nobody);
    },
    canEnter: (folder) =>
      execute("test", ["-x", folder], { ...spawn, cwd: "/" }).then(
        () => true,
        () => false,
      ),
  };
}
