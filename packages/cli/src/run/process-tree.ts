import { readdir, readFile } from "node:fs/promises";

/** Sends a signal to every process of a group. False: there is none (any more). */
function signalGroup(leader: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(-leader, signal);
    return true;
  } catch {
    return false;
  }
}

/**
 * Processes that have left the group (with setsid, as daemons do) but carry the run's mark in their environment. Where there is
 * no /proc nobody is found: such a process keeps running there, with a token that ends with the run.
 */
async function markedProcesses(mark: string): Promise<number[]> {
  const wanted = Buffer.from(`${mark}\0`);
  let entries: string[];
  try {
    entries = await readdir("/proc");
  } catch {
    return [];
  }
  const found: number[] = [];
  for (const entry of entries) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    try {
      if ((await readFile(`/proc/${pid}/environ`)).includes(wanted)) found.push(pid);
    } catch {
      // It has ended, or is not ours.
    }
  }
  return found;
}

/** Sends a signal to the group and to all that left it. */
export async function signalTree(leader: number, mark: string, signal: NodeJS.Signals): Promise<void> {
  signalGroup(leader, signal);
  for (const pid of await markedProcesses(mark)) {
    try {
      process.kill(pid, signal);
    } catch {
      // It has ended meanwhile.
    }
  }
}
