import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmod, mkdir, mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { RemitError } from "@remit/contract";
import type { PostgresBinaries } from "./postgres-binaries.ts";
import type { ProcessUser } from "./process-user.ts";

const execute = promisify(execFile);

/** The superuser of clusters that Remit makes, and the database in it that is Remit's. */
export const owner = "remit";

/** A new PostgreSQL cluster in a folder that does not exist yet. Everybody needs the password, on every way in. */
export async function initialiseCluster(folder: string, binaries: PostgresBinaries, user: ProcessUser, password: string): Promise<void> {
  await mkdir(folder, { mode: 0o700 });
  await user.own(folder);
  // initdb reads the password from a file; it must be the file of the user that runs it.
  const secret = await mkdtemp(join(dirname(folder), "initdb-"));
  try {
    await chmod(secret, 0o711);
    const passwordFile = join(secret, "password");
    await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
    await user.own(passwordFile);
    await execute(
      join(binaries.folder, "initdb"),
      [
        `--pgdata=${folder}`,
        `--username=${owner}`,
        `--pwfile=${passwordFile}`,
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--data-checksums",
        ...localeArguments(binaries.major),
      ],
      { ...user.spawn, cwd: "/" },
    );
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    const words = error instanceof Error && "stderr" in error ? String(error.stderr).trim() : String(error);
    throw new RemitError("database-unavailable", `initdb of PostgreSQL ${binaries.version} failed in ${folder}: ${words}`, {
      cause: error,
    });
  } finally {
    await rm(secret, { recursive: true, force: true });
  }
}

/** The same order and case rules on every machine: sorting by code point, letters of all languages folded. */
function localeArguments(major: number): string[] {
  if (major >= 17) return ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"];
  return process.platform === "darwin" ? ["--locale=en_US.UTF-8"] : ["--locale=C.UTF-8"];
}

/** The number that initdb gave the cluster; the first eight bytes of its control file, in every version. */
export async function systemIdentifier(folder: string): Promise<string> {
  const file = await open(join(folder, "global", "pg_control"));
  try {
    const bytes = Buffer.alloc(8);
    await file.read(bytes, 0, 8, 0);
    return bytes.readBigUInt64LE().toString();
  } finally {
    await file.close();
  }
}

/** The major version that made the cluster; null where there is none. */
export async function clusterMajor(folder: string): Promise<number | null> {
  try {
    return Number(await readFile(join(folder, "PG_VERSION"), "utf8"));
  } catch {
    return null;
  }
}

export function newPassword(): string {
  return randomBytes(24).toString("base64url");
}
