import { errorTable } from "@remit/contract";
import type { ErrorCode } from "@remit/contract";
import { asRemitError } from "../terminal/failure.ts";
import { exitOf, exitCodes } from "./run-summary.ts";
import { runOnce } from "./run-once.ts";
import type { FinishedRun, RunRequest } from "./run-once.ts";

/** What came of a queue. `problem`: why no further run was started, where the queue was not what ended. */
export type Drained = { finished: FinishedRun[]; problem: DrainProblem | null };

export type DrainProblem = { code: ErrorCode | "agent-failing"; message: string; exit: number };

/** After so many failures one after the other it is not the work that is wrong. */
const mostFailures = 3;

/**
 * Starts a new run for each item until the queue is empty, `concurrency` at a time. A halt, an interruption, a server that is
 * gone, or an agent that fails again and again ends it; runs that are under way are left to end.
 */
export async function drainQueue(request: RunRequest, concurrency: number): Promise<Drained> {
  const finished: FinishedRun[] = [];
  let failures = 0;
  let over = false;
  let problem: DrainProblem | null = null;

  async function work(): Promise<void> {
    while (!over && !request.interrupted.aborted) {
      try {
        const one = await runOnce(request);
        if (one === null) return;
        finished.push(one);
        const exit = exitOf([one]);
        failures = exit === exitCodes.failed && one.stop?.cause !== "limit" ? failures + 1 : 0;
        problem ??= problemOf(one, exit, failures);
        if (problem !== null) over = true;
      } catch (error) {
        over = true;
        if (finished.length === 0) throw error;
        const { code, message } = asRemitError(error);
        problem ??= { code, message, exit: errorTable[code].exit };
      }
    }
  }

  await Promise.all(Array.from({ length: concurrency }, work));
  return { finished, problem };
}

/** Why no run is started after this one. */
function problemOf({ run, stop }: FinishedRun, exit: number, failures: number): DrainProblem | null {
  if (exit === exitCodes.halted) return { code: "halted", message: stop?.reason ?? run.reason ?? "The run was halted.", exit };
  if (exit === exitCodes.unreachable) return { code: "server-unavailable", message: stop?.reason ?? "The server is gone.", exit };
  if (failures < mostFailures) return null;
  return { code: "agent-failing", message: `The agent failed ${failures} times, one after the other.`, exit: exitCodes.failed };
}
