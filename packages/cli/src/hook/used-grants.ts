import { mkdir, open, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";

/** A recorded outcome is answered with for a day; what was noted before that is of no use. Milliseconds. */
const keptMs = 48 * 60 * 60 * 1_000;

/**
 * Notes that an action was handed over to the coding agent. False: it was before. One approval lets one call through; the server
 * answers the same call with the same recorded outcome for a day, and it is here that its second use is noticed.
 */
export async function useOnce(folder: string, actionId: string): Promise<boolean> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  try {
    await (await open(join(folder, actionId.replace(/[^\w-]/g, "_")), "wx", 0o600)).close();
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
  await forgetOld(folder).catch(() => undefined);
  return true;
}

async function forgetOld(folder: string): Promise<void> {
  const names = await readdir(folder);
  if (names.length < 500) return;
  for (const name of names) {
    const file = join(folder, name);
    if (Date.now() - (await stat(file)).mtimeMs > keptMs) await rm(file, { force: true });
  }
}
