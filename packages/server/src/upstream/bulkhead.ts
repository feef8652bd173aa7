import { RemitError } from "@remit/contract";

/** Holds how many calls one upstream carries at a time, so that a slow one cannot hold the server's memory, and no agent the upstream. */
export type Bulkhead = {
  /** A place, where one is free; what it returns gives it back. Null: it has to be waited for. */
  take(): (() => void) | null;
  /**
   * Waits for a place. The returned function gives it back.
   * @param agent whose call it is: those who wait are let in by turns, one of each agent
   * @throws RemitError `upstream-busy` when too many are waiting already, or the signal's reason.
   */
  enter(signal: AbortSignal, agent?: string): Promise<() => void>;
  resize(limit: number): void;
  running(): number;
};

/** For each running call, so many may wait. */
const waitingPerPlace = 8;

type Waiter = { admit(): void; refuse(why: RemitError): void };

export function createBulkhead(upstream: string, initialLimit: number): Bulkhead {
  let limit = initialLimit;
  let running = 0;
  let count = 0;
  /** Agents in the order of their turns. None has nobody waiting. */
  const queues = new Map<string, Waiter[]>();

  function release(): void {
    running -= 1;
    admit();
  }

  function admit(): void {
    while (running < limit) {
      const [first] = queues;
      if (first === undefined) return;
      const [agent, queue] = first;
      const next = queue.shift();
      // To the end: everybody else has his turn first.
      if (queue.length === 0 || queues.size > 1) {
        queues.delete(agent);
        if (queue.length > 0) queues.set(agent, queue);
      }
      if (next === undefined) continue;
      count -= 1;
      running += 1;
      next.admit();
    }
  }

  function leave(agent: string, waiter: Waiter): void {
    const queue = queues.get(agent);
    const at = queue?.indexOf(waiter) ?? -1;
    if (queue === undefined || at === -1) return;
    queue.splice(at, 1);
    count -= 1;
    if (queue.length === 0) queues.delete(agent);
  }

  function busy(): RemitError {
    return new RemitError(
      "upstream-busy",
      `upstream "${upstream}" is busy: ${running} calls are running and ${count} are waiting; nothing was sent, try again later`,
    );
  }

  /** A full queue is shared: whoever has most waiting gives way to whoever has less. */
  function makeRoom(agent: string): void {
    const own = queues.get(agent)?.length ?? 0;
    const [greediest, queue] = [...queues].reduce((most, one) => (one[1].length > most[1].length ? one : most));
    const last = queue.at(-1);
    if (last === undefined || queue.length <= own + 1) throw busy();
    const refusal = busy();
    leave(greediest, last);
    last.refuse(refusal);
  }

  function take(): (() => void) | null {
    if (running >= limit) return null;
    running += 1;
    return release;
  }

  return {
    take,
    async enter(signal, agent = "") {
      signal.throwIfAborted();
      const free = take();
      if (free !== null) return free;
      if (count >= limit * waitingPerPlace) makeRoom(agent);
      await new Promise<void>((resolve, reject) => {
        const waiter: Waiter = {
          admit() {
            signal.removeEventListener("abort", aborted);
            resolve();
          },
          refuse(why) {
            signal.removeEventListener("abort", aborted);
            reject(why);
          },
        };
        const aborted = () => {
          leave(agent, waiter);
          reject(signal.reason as Error);
        };
        const queue = queues.get(agent);
        if (queue === undefined) queues.set(agent, [waiter]);
        else queue.push(waiter);
        count += 1;
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
