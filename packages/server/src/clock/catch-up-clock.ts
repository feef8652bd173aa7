import { setTimeout as sleep } from "node:timers/promises";

export type CatchUpClock = { stop(): Promise<void> };

/**
 * Looks every second for what time has brought about. It begins at once, so that what came due while no server ran is caught up with;
 * several servers may run it, each row is changed by one of them.
 */
export function startCatchUpClock<Id extends string>(options: {
  /** Does what is due, at most so much at a time, and says how many it changed. What it cannot do it tells, and goes on. */
  catchUp: (onError: (error: unknown, id: Id) => void) => Promise<number>;
  everyMs?: number;
  /** `id`: what could not be brought up to date; null: nothing could be looked for. */
  onError: (error: unknown, id: Id | null) => void;
}): CatchUpClock {
  const { catchUp, everyMs = 1_000, onError } = options;
  const stopping = new AbortController();
  const running = (async () => {
    while (!stopping.signal.aborted) {
      let changed = 0;
      try {
        changed = await catchUp(onError);
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
