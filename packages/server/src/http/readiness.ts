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
  /** Something to be said beside the checks, which decides nothing. Everybody may read it. */
  say(name: string, words: () => Promise<string>): void;
  run(): Promise<{ ready: boolean; checks: Record<string, string>; details: Record<string, string> }>;
};

const checkTimeoutMs = 2_000;

export function createReadiness(): Readiness {
  const checks = new Map<string, ReadinessCheck>();
  const details = new Map<string, () => Promise<string>>();
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
    say(name, words) {
      details.set(name, words);
    },
    add(name, check) {
      checks.set(name, check);
    },
    async run() {
      const [results, said] = await Promise.all([
        Promise.all([...checks].map(async ([name, check]) => [name, await outcome(check)] as const)),
        Promise.all([...details].map(async ([name, words]) => [name, await inTime(words(), "unknown")] as const)),
      ]);
      return {
        ready: results.every(([, result]) => result === "ok"),
        checks: Object.fromEntries(results),
        details: Object.fromEntries(said),
      };
    },
  };
}

async function outcome(check: ReadinessCheck): Promise<string> {
  const result = Promise.resolve()
    .then(check)
    .then(
      () => "ok",
      // The page is open to everybody: only what we wrote ourselves may be on it.
      (error: unknown) => (RemitError.is(error) ? error.message : "failed"),
    );
  return inTime(result, "gave no answer in time");
}

/** What is said in time; otherwise, and where it fails, `instead`. */
async function inTime(words: Promise<string>, instead: string): Promise<string> {
  const late = Promise.withResolvers<string>();
  const timer = setTimeout(() => late.resolve(instead), checkTimeoutMs);
  try {
    return await Promise.race([words.catch(() => instead), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
