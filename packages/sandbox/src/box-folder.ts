import { lstat, mkdtemp, readdir, readlink, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const prefix = "remit-box-";

/**
 * The folder of one contained program. Its name says whose it is: a process that was killed leaves its folders behind, and the next one
 * takes them away.
 */
export async function makeBoxFolder(): Promise<string> {
  swept ??= sweepBoxes().catch(() => undefined);
  await swept;
  return await realpath(await mkdtemp(join(tmpdir(), `${prefix}${await processSpace()}-${process.pid}-`)));
}

let swept: Promise<void> | null = null;

/**
 * Takes away the folders of processes that are gone. Whose process numbers mean something else (another container that shares the folder)
 * and whose user is another are left alone; so is one whose number somebody else has now. Nothing is mounted in them here: that is done in
 * a namespace that has ended with its program.
 */
export async function sweepBoxes(): Promise<void> {
  const own = `${prefix}${await processSpace()}-`;
  for (const name of await readdir(tmpdir())) {
    const pid = name.startsWith(own) ? Number(/^(\d+)-/.exec(name.slice(own.length))?.[1]) : Number.NaN;
    if (!Number.isInteger(pid) || isAlive(pid)) continue;
    const folder = join(tmpdir(), name);
    const found = await lstat(folder).catch(() => null);
    if (found?.isDirectory() === true && found.uid === process.getuid?.()) await rm(folder, { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

/** Where process numbers mean the same, as Linux names it. */
async function processSpace(): Promise<string> {
  const link = await readlink("/proc/self/ns/pid").catch(() => "");
  return /\d+/.exec(link)?.[0] ?? "0";
}
