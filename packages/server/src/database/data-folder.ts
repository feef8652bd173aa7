import { randomUUID } from "node:crypto";
import { chmod, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { RemitError } from "@remit/contract";

/** Makes the data folder. Under root others may pass through it, because PostgreSQL runs as another user; what is secret in it is 0600. */
export async function prepareDataFolder(dataFolder: string, root: boolean): Promise<void> {
  try {
    await mkdir(dataFolder, { recursive: true, mode: 0o700 });
    if (root) await chmod(dataFolder, 0o711);
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    throw new RemitError("invalid-configuration", `The data folder cannot be made: ${words}. Choose another with REMIT_DATA_DIR.`, {
      cause: error,
    });
  }
}

/**
 * Binds a data folder to a database, once. The folder's master key seals what is in its database and opens nothing of another,
 * so the two must never be mixed up.
 *
 * @throws RemitError `database-mismatch`
 */
export async function bindInstance(dataFolder: string, instance: string): Promise<void> {
  const file = join(dataFolder, "instance");
  const bound = (await readFile(file, "utf8").catch(() => "")).trim();
  if (bound === instance) return;
  if (bound !== "") {
    throw new RemitError(
      "database-mismatch",
      `The data folder ${dataFolder} belongs to the Remit database ${bound}, but this database is ${instance}. ` +
        "Use the data folder that goes with this database (REMIT_DATA_DIR), or the database that goes with this folder (DATABASE_URL). Nothing was changed.",
    );
  }
  const fresh = `${file}.${randomUUID()}`;
  await writeFile(fresh, `${instance}\n`, { mode: 0o600, flush: true });
  await rename(fresh, file);
}
