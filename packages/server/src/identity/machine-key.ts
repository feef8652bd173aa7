import { randomBytes } from "node:crypto";
import { link, mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { RemitError } from "@remit/contract";
import { newSecret } from "./secret-token.ts";

/**
 * The key of whoever owns the data folder: it makes login links, so it is as good as every person's login.
 * Made at the first start. @throws RemitError `invalid-configuration` when others on this machine can read it.
 */
export async function openMachineKey(dataDir: string): Promise<string> {
  const path = join(dataDir, "machine.key");
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  await createOnce(path);
  const { mode } = await stat(path);
  if ((mode & 0o077) !== 0) {
    throw new RemitError("invalid-configuration", `${path} can be read by other users of this machine; run: chmod 600 ${path}`);
  }
  const key = (await readFile(path, "utf8")).trim();
  if (!/^remit_machine_[A-Za-z0-9_-]{43}$/.test(key)) {
    throw new RemitError("invalid-configuration", `${path} does not hold a machine key; delete it and start again to make a new one`);
  }
  return key;
}

/** Written aside and linked into place: two servers that start at once agree on one whole key. */
async function createOnce(path: string): Promise<void> {
  const aside = `${path}.${randomBytes(6).toString("hex")}`;
  try {
    await writeFile(aside, `${newSecret("machine")}\n`, { mode: 0o600, flag: "wx" });
    await link(aside, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    await rm(aside, { force: true });
  }
}
