import type { RemitError } from "@remit/contract";
import { asRemitError } from "../terminal/failure.ts";
import { exitOf, exitCodes } from "./run-summary.ts";
import { runOnce } from "./run-once.ts";
import type { FinishedRun, RunRequest } from "./run-once.ts";

/** What came of a queue. `problem`: why no further run could be started, where that is what ended it. */
export type Drained = { finished: FinishedRun[]; problem: RemitError | null };

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
  let problem: RemitError | null = null;

  async function work(): Promise<void> {
    while (!over && !request.interrupted.aborted) {
      try {
        const one = await runOnce(request);
        if (one === null) return;
        finished.push(one);
        const exit = exitOf([one]);
        failures = exit === exitCodes.failed && one.stop?.cause !== "limit" ? failures + 1 : 0;
        if (exit === exitCodes.halted || exit === exitCodes.unreachable || failures >= mostFailures) over = true;
      } catch (error) {
        over = true;
        problem ??= asRemitError(error);
      }
    }
  }

  await Promise.all(Array.from({ length: concurrency }, work));
  if (problem !== null && finished.length === 0) throw problem;
  return { finished, problem };
}
