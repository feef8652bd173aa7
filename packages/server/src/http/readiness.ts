import { RemitError } from "@remit/contract";

/** One thing that must work before this server should be sent requests. It throws what is wrong. */
export type ReadinessCheck = () => Promise<void> | void;

/** What `/readyz` asks. */
export type Readiness = {
  add(name: string, check: ReadinessCheck): void;
  /** Says that it is going away, for good: whoever spreads requests sends no more. Those that come are still answered. */
  leave(): void;
  /** From now on whatever comes is refused, but for the probes. */
  refuse(): void;
  refuses(): boolean;
  run(): Promise<{ ready: boolean; checks: Record<string, string> }>;
};

const checkTimeoutMs = 2_000;

export function createReadiness(): Readiness {
  const checks = new Map<string, ReadinessCheck>();
  let isRefusing = false;
  return {
    leave() {
      checks.set("stopping", () => {
        throw new RemitError("server-unavailable", "the server is being stopped; it finishes what it has and takes no more");
      });
    },
    refuse() {
      isRefusing = true;
    },
    refuses: () => isRefusing,
    add(name, check) {
      checks.set(name, check);
    },
    async run() {
      const results = await Promise.all([...checks].map(async ([name, check]) => [name, await outcome(check)] as const));
      return { ready: results.every(([, result]) => result === "ok"), checks: Object.fromEntries(results) };
    },
  };
}

async function outcome(check: ReadinessCheck): Promise<string> {
  const late = Promise.withResolvers<string>();
  const timer = setTimeout(() => late.resolve("gave no answer in time"), checkTimeoutMs);
  const result = Promise.resolve()
    .then(check)
    .then(
      () => "ok",
      // The page is open to everybody: only what we wrote ourselves may be on it.
      (error: unknown) => (RemitError.is(error) ? error.message : "failed"),
    );
  try {
    return await Promise.race([result, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
