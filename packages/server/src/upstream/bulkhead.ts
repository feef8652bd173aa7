import { RemitError } from "@remit/contract";

/** Holds how many calls one upstream carries at a time, so that a slow one cannot hold the server's memory. */
export type Bulkhead = {
  /**
   * Waits for a place. The returned function gives it back.
   * @throws RemitError `upstream-busy` when too many are waiting already, or the signal's reason.
   */
  enter(signal: AbortSignal): Promise<() => void>;
  resize(limit: number): void;
  running(): number;
};

/** For each running call, so many may wait. */
const waitingPerPlace = 8;

export function createBulkhead(upstream: string, initialLimit: number): Bulkhead {
  let limit = initialLimit;
  let running = 0;
  const waiting = new Set<() => void>();

  function release(): void {
    running -= 1;
    admit();
  }

  function admit(): void {
    while (running < limit) {
      const [next] = waiting;
      if (next === undefined) return;
      waiting.delete(next);
      running += 1;
      next();
    }
  }

  return {
    async enter(signal) {
      signal.throwIfAborted();
      if (running < limit) {
        running += 1;
        return release;
      }
      if (waiting.size >= limit * waitingPerPlace) {
        throw new RemitError(
          "upstream-busy",
          `upstream "${upstream}" is busy: ${running} calls are running and ${waiting.size} are waiting; nothing was sent, try again later`,
        );
      }
      await new Promise<void>((resolve, reject) => {
        const admitted = () => {
          signal.removeEventListener("abort", aborted);
          resolve();
        };
        const aborted = () => {
          waiting.delete(admitted);
          reject(signal.reason as Error);
        };
        waiting.add(admitted);
        signal.addEventListener("abort", aborted, { once: true });
      });
      return release;
    },
    resize(next) {
      limit = next;
      admit();
    },
    running: () => running,
  };
}
