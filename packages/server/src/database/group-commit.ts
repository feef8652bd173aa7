import { setImmediate as turn, setTimeout as delay } from "node:timers/promises";
import { RemitError } from "@remit/contract";

/**
 * Many callers, one commit: jobs that arrive while a batch is being committed form the next one, so the database pays once for all.
 * At low load a batch is one job and waits for nothing.
 */
export type GroupCommit<Job, Result> = {
  /** Resolves when the job's batch has committed. @throws what `onFull` makes, when too many jobs wait. */
  submit(job: Job): Promise<Result>;
  /** Resolves when nothing waits and nothing is being committed. */
  idle(): Promise<void>;
};

export type GroupCommitOptions<Job, Result> = {
  /** Commits a batch, or nothing of it; results in the order of the jobs. */
  commit: (jobs: readonly Job[]) => Promise<Result[]>;
  maxBatch: number;
  /** For so many milliseconds at most a batch waits for as many jobs as came together last. Zero, which is the default: for none. */
  lingerMs?: number;
  /** How much a job weighs, where jobs differ, and how much a batch may. */
  weight?: { of: (job: Job) => number; max: number };
  /** More jobs waiting than this are refused: an unbounded queue is an outage that has not been noticed. */
  maxWaiting: number;
  onFull: () => Error;
};

export function createGroupCommit<Job, Result>(options: GroupCommitOptions<Job, Result>): GroupCommit<Job, Result> {
  type Waiting = { job: Job; resolve: (result: Result) => void; reject: (error: unknown) => void };
  let waiting: Waiting[] = [];
  let working: Promise<void> | null = null;
  /** How many jobs come together, of late. */
  let usual = 1;
  let settledAt = -Infinity;

  async function work(): Promise<void> {
    while (waiting.length > 0) {
      // Lets everything that is ready in this turn of the event loop join the batch.
      await turn();
      await linger();
      usual = waiting.length > usual ? waiting.length : (usual + waiting.length) / 2;
      await settle(waiting.splice(0, nextBatch()));
      settledAt = performance.now();
    }
    working = null;
  }

  /**
   * Callers who were answered together come back one by one, and half of them would miss the batch that the first of them begins:
   * what a commit costs would be paid twice as often. Whoever is alone waits for nobody.
   */
  async function linger(): Promise<void> {
    const { lingerMs = 0, maxBatch } = options;
    if (performance.now() - settledAt > freshMs) usual = 1;
    for (let waited = 0; waited < lingerMs && waiting.length < Math.min(Math.floor(usual), maxBatch); waited += 1) await delay(1);
  }

  function nextBatch(): number {
    const { of, max } = options.weight ?? { of: () => 0, max: 0 };
    let weight = 0;
    let count = 0;
    for (const { job } of waiting) {
      weight += of(job);
      if (count === options.maxBatch || (count > 0 && weight > max)) break;
      count += 1;
    }
    return count;
  }

  async function settle(batch: readonly Waiting[]): Promise<void> {
    try {
      const results = await options.commit(batch.map(({ job }) => job));
      batch.forEach(({ resolve }, index) => resolve(results[index] as Result));
    } catch (error) {
      if (batch.length === 1 || isOutage(error)) {
        for (const { reject } of batch) reject(error);
        return;
      }
      // One bad job must not fail its neighbours: halves, in order, until it is alone.
      const middle = Math.ceil(batch.length / 2);
      await settle(batch.slice(0, middle));
      await settle(batch.slice(middle));
    }
  }

  return {
    submit(job) {
      if (waiting.length >= options.maxWaiting) return Promise.reject(options.onFull());
      return new Promise((resolve, reject) => {
        waiting.push({ job, resolve, reject });
        working ??= work();
      });
    },
    async idle() {
      const current = working;
      if (current === null) return;
      await current;
      await this.idle();
    },
  };
}

/** After so long who came together then says nothing of now. */
const freshMs = 10;

/** It would fail for each job alone as well, and each might have to wait for that. */
function isOutage(error: unknown): boolean {
  return RemitError.is(error) && (error.code === "database-unavailable" || error.code === "ledger-unavailable");
}
