/** Waiting that can be cut short: by something to do, by somebody who waits for it, by the end. */
export type Waker = {
  wake(): void;
  hurry(): void;
  stop(): void;
  isStopped(): boolean;
  /** Until woken, also if that was since the last such wait, hurried or stopped; at most this long. Whether it was. */
  untilWoken(ms: number): Promise<boolean>;
  /** Until hurried or stopped; at most this long. Whether it was. */
  untilHurried(ms: number): Promise<boolean>;
  /** Until nothing has woken it for so long, or hurried or stopped; at most `atMostMs`. */
  untilQuiet(ms: number, atMostMs: number): Promise<void>;
  untilStopped(ms: number): Promise<void>;
};

const urgencies = { wake: 1, hurry: 2, stop: 3 } as const;

export function createWaker(): Waker {
  let stopped = false;
  /** The most urgent call that no wait has answered yet. */
  let called = 0;
  let wokenAt = -Infinity;
  const waiting = new Set<{ threshold: number; resolve: () => void }>();

  function call(urgency: number): void {
    called = Math.max(called, urgency);
    for (const wait of waiting) if (urgency >= wait.threshold) wait.resolve();
  }

  /** Whether it was cut short. */
  async function until(threshold: number, ms: number): Promise<boolean> {
    if (stopped || ms <= 0) return stopped;
    if (threshold <= called && threshold < urgencies.stop) {
      called = 0;
      return true;
    }
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const wait = { threshold, resolve: () => resolve(true) };
    const timer = setTimeout(() => resolve(false), ms);
    waiting.add(wait);
    const isCutShort = await promise;
    waiting.delete(wait);
    clearTimeout(timer);
    if (threshold < urgencies.stop) called = 0;
    return isCutShort;
  }

  async function untilQuiet(ms: number, atMostMs: number): Promise<void> {
    const latest = performance.now() + atMostMs;
    const leftMs = (): number => Math.min(wokenAt + ms, latest) - performance.now();
    for (let left = leftMs(); left > 0; left = leftMs()) if (await until(urgencies.hurry, left)) return;
  }

  return {
    wake() {
      wokenAt = performance.now();
      call(urgencies.wake);
    },
    hurry: () => call(urgencies.hurry),
    stop() {
      stopped = true;
      call(urgencies.stop);
    },
    isStopped: () => stopped,
    untilWoken: (ms) => until(urgencies.wake, ms),
    untilHurried: (ms) => until(urgencies.hurry, ms),
    untilStopped: async (ms) => void (await until(urgencies.stop, ms)),
    untilQuiet,
  };
}
