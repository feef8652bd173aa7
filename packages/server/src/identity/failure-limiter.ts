/** Counts failures of each caller, and says when one has failed too often to be listened to for a while. Bounded in memory. */
export type FailureLimiter = {
  blocked(key: string): boolean;
  failed(key: string): void;
};

export function createFailureLimiter(options: { limit: number; windowMs: number; nowMs: () => number; maxKeys?: number }): FailureLimiter {
  const maxKeys = options.maxKeys ?? 10_000;
  const windows = new Map<string, { since: number; failures: number }>();
  const current = (key: string) => {
    const window = windows.get(key);
    return window !== undefined && options.nowMs() - window.since < options.windowMs ? window : null;
  };
  return {
    blocked: (key) => (current(key)?.failures ?? 0) >= options.limit,
    failed(key) {
      const window = current(key);
      if (window !== null) {
        window.failures += 1;
        return;
      }
      windows.delete(key);
      if (windows.size >= maxKeys) {
        const oldest = windows.keys().next();
        if (!oldest.done) windows.delete(oldest.value);
      }
      windows.set(key, { since: options.nowMs(), failures: 1 });
    },
  };
}
