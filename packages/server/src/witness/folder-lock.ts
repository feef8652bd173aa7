import { open, readFile, unlink } from "node:fs/promises";
import { join } from "node:path";
import { RemitError } from "@remit/contract";

/**
 * Takes a folder for this process alone: two witnesses with one key and two memories could cosign two ledgers.
 * What a killed process left behind is taken over.
 * @throws RemitError `conflict`
 */
export async function lockFolder(folder: string): Promise<{ release(): Promise<void> }> {
  const file = join(folder, "lock");
  for (let attempt = 0; attempt < 3; attempt += 1) {
    try {
      const handle = await open(file, "wx", 0o600);
      await handle.writeFile(`${process.pid} ${await startOf(process.pid)}\n`);
      await handle.close();
      return { release: () => unlink(file).catch(() => undefined) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const [pid = "", start = ""] = (await readFile(file, "utf8").catch(() => "")).trim().split(" ");
    if (pid !== "" && (await isRunning(Number(pid), start))) {
      throw new RemitError("conflict", `Process ${pid} serves the witness in ${folder} already`);
    }
    await unlink(file).catch(() => undefined);
  }
  throw new RemitError("conflict", `The folder ${folder} is being taken by another process; try again`);
}

async function isRunning(pid: number, start: string): Promise<boolean> {
  if (!Number.isSafeInteger(pid) || pid <= 0 || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
  // A number is given out again: it is the same process if it began at the same moment. Where that cannot be known, it may be.
  const begun = await startOf(pid);
  return begun === "" || start === "" || begun === start;
}

/** When a process began, in the kernel's own count; empty where the system does not say. */
async function startOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
}
