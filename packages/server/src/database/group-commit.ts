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
  /** More jobs waiting than this are refused: an unbounded queue is an outage that has not been noticed. */
  maxWaiting: number;
  onFull: () => Error;
};

export function createGroupCommit<Job, Result>(options: GroupCommitOptions<Job, Result>): GroupCommit<Job, Result> {
  type Waiting = { job: Job; resolve: (result: Result) => void; reject: (error: unknown) => void };
  let waiting: Waiting[] = [];
  let working: Promise<void> | null = null;

  async function work(): Promise<void> {
    // Lets everything that is ready in this turn of the event loop join the batch.
    await Promise.resolve();
    while (waiting.length > 0) {
      const batch = waiting.splice(0, options.maxBatch);
      try {
        const results = await options.commit(batch.map(({ job }) => job));
        batch.forEach(({ resolve }, index) => resolve(results[index] as Result));
      } catch (error) {
        if (batch.length === 1) batch[0]?.reject(error);
        // One bad job must not fail its neighbours: each alone, in order.
        else await oneByOne(batch);
      }
    }
    working = null;
  }

  async function oneByOne(batch: readonly Waiting[]): Promise<void> {
    for (const { job, resolve, reject } of batch) {
      try {
        const [result] = await options.commit([job]);
        resolve(result as Result);
      } catch (error) {
        reject(error);
      }
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
