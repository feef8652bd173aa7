import { readFileSync } from "node:fs";
import { constants } from "node:os";

/** Sends a signal to process 1 of a contained program's world, which hands it on; the launcher itself would just die of it. */
export function signalInside(launcher: number, signal: NodeJS.Signals): void {
  try {
    for (const pid of readFileSync(`/proc/${launcher}/task/${launcher}/children`, "ascii").trim().split(" ")) {
      if (pid !== "") process.kill(Number(pid), signal);
    }
  } catch {
    // It has ended, or has not begun.
  }
}

/** How the program itself ended: to a shell, and so to process 1, an end by a signal is a code over 128. */
export function endInside(code: number | null, signal: NodeJS.Signals | null): { code: number | null; signal: NodeJS.Signals | null } {
  if (code === null || code <= 128) return { code, signal };
  const name = Object.entries(constants.signals).find(([, number]) => number === code - 128)?.[0];
  return name === undefined ? { code, signal } : { code: null, signal: name as NodeJS.Signals };
}
