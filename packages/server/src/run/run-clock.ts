import { setTimeout as sleep } from "node:timers/promises";
import type { Runs } from "./runs.ts";

export type RunClock = { stop(): Promise<void> };

/**
 * Looks every second for runs that nobody follows any more or whose time is up. It begins at once, so that what came due while no
 * server ran is caught up with; several servers may run it, each run is ended by one of them.
 */
export function startRunClock(options: {
  runs: Pick<Runs, "catchUp">;
  everyMs?: number;
  onError: (error: unknown, runId: string | null) => void;
}): RunClock {
  const { runs, everyMs = 1_000, onError } = options;
  const stopping = new AbortController();
  const running = (async () => {
    while (!stopping.signal.aborted) {
      let changed = 0;
      try {
        changed = await runs.catchUp(onError);
      } catch (error) {
        onError(error, null);
      }
      // After a long absence there may be more than one helping.
      if (changed === 0) await sleep(everyMs, undefined, { signal: stopping.signal }).catch(() => {});
    }
  })();
  return {
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}
