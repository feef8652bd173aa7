import { RemitError } from "@remit/contract";

export type GroupCommitOptions<Item> = {
  /** Makes all of them durable, or none. */
  commit(items: readonly Item[]): Promise<void>;
  /** Whether it failed because of one of the items. Otherwise it would fail for each of them. */
  isItemAtFault(error: unknown): boolean;
  sizeOf(item: Item): number;
  maxItems: number;
  maxBytes: number;
  /** How many may wait. Beyond, callers are refused at once. */
  maxWaiting: number;
};

export type GroupCommit<Item> = {
  /** Resolves once durable. @throws RemitError `ledger-unavailable` when it was not even tried, else what `commit` threw. */
  add(item: Item): Promise<void>;
  /** Commits what waits, and refuses what comes later. */
  close(): Promise<void>;
};

type Waiting<Item> = { item: Item; resolve: () => void; reject: (error: unknown) => void };

/** Many callers, one commit: whoever comes while a commit is under way goes with the next one. */
export function createGroupCommit<Item>(options: GroupCommitOptions<Item>): GroupCommit<Item> {
  let queue: Waiting<Item>[] = [];
  let running: Promise<void> | null = null;
  let closed = false;

  function takeBatch(): Waiting<Item>[] {
    let bytes = 0;
    let count = 0;
    for (const { item } of queue) {
      bytes += options.sizeOf(item);
      if (count > 0 && (bytes > options.maxBytes || count === options.maxItems)) break;
      count += 1;
    }
    const batch = queue.slice(0, count);
    queue = queue.slice(count);
    return batch;
  }

  async function drain(): Promise<void> {
    while (queue.length > 0) await settle(takeBatch());
    running = null;
  }

  /** One bad item must not take its neighbours with it: halves are tried until it is alone. */
  async function settle(batch: readonly Waiting<Item>[]): Promise<void> {
    try {
      await options.commit(batch.map(({ item }) => item));
      for (const { resolve } of batch) resolve();
    } catch (error) {
      if (batch.length > 1 && options.isItemAtFault(error)) {
        const middle = Math.ceil(batch.length / 2);
        await settle(batch.slice(0, middle));
        await settle(batch.slice(middle));
        return;
      }
      for (const { reject } of batch) reject(error);
    }
  }

  return {
    add(item) {
      if (closed) return Promise.reject(unavailable("the server is stopping"));
      if (queue.length >= options.maxWaiting) return Promise.reject(unavailable(`${options.maxWaiting} entries already wait`));
      return new Promise((resolve, reject) => {
        queue.push({ item, resolve, reject });
        running ??= drain();
      });
    },
    async close() {
      closed = true;
      await running;
    },
  };
}

function unavailable(why: string): RemitError {
  return new RemitError("ledger-unavailable", `The entry was not recorded: ${why}`);
}
