/** Waiting that can be cut short: by something to do, by somebody who waits for it, by the end. */
export type Waker = {
  wake(): void;
  hurry(): void;
  stop(): void;
  isStopped(): boolean;
  /** Until woken, also if that was since the last such wait, hurried or stopped; at most this long. */
  untilWoken(ms: number): Promise<void>;
  untilHurried(ms: number): Promise<void>;
  untilStopped(ms: number): Promise<void>;
};

const urgencies = { wake: 1, hurry: 2, stop: 3 } as const;

export function createWaker(): Waker {
  let stopped = false;
  /** The most urgent call that no wait has answered yet. */
  let called = 0;
  const waiting = new Set<{ threshold: number; resolve: () => void }>();

  function call(urgency: number): void {
    called = Math.max(called, urgency);
    for (const wait of waiting) if (urgency >= wait.threshold) wait.resolve();
  }

  async function until(threshold: number, ms: number): Promise<void> {
    if (stopped || ms <= 0) return;
    if (threshold <= called && threshold < urgencies.stop) {
      called = 0;
      return;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    const wait = { threshold, resolve };
    const timer = setTimeout(resolve, ms);
    waiting.add(wait);
    await promise;
    waiting.delete(wait);
    clearTimeout(timer);
    if (threshold < urgencies.stop) called = 0;
  }

  return {
    wake: () => call(urgencies.wake),
    hurry: () => call(urgencies.hurry),
    stop() {
      stopped = true;
      call(urgencies.stop);
    },
    isStopped: () => stopped,
    untilWoken: (ms) => until(urgencies.wake, ms),
    untilHurried: (ms) => until(urgencies.hurry, ms),
    untilStopped: (ms) => until(urgencies.stop, ms),
  };
}
