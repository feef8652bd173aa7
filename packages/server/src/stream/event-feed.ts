import type { EventLog } from "./event-log.ts";

/** What every consumer of this server reads from: it looks for new entries on behalf of all of them, and only while somebody waits. */
export type EventFeed = EventLog & {
  /** Until there is an entry at this place, or the signal ends it; at most this long. */
  untilBeyond(place: number, signal: AbortSignal, ms: number): Promise<void>;
  stop(): void;
};

export type EventFeedOptions = {
  log: EventLog;
  /** Subscribes to the hint that something was appended here. */
  onAppended?: (listener: () => void) => void;
  pollMs?: number;
  onProblem?: (error: unknown) => void;
};

export function createEventFeed({ log, onAppended, pollMs = 250, onProblem = () => {} }: EventFeedOptions): EventFeed {
  const waiting = new Set<{ place: number; wake: () => void }>();
  let timer: NodeJS.Timeout | null = null;
  let looking = false;
  let stopped = false;
  let failed = false;

  async function look(): Promise<void> {
    timer = null;
    if (looking || stopped || waiting.size === 0) return;
    looking = true;
    try {
      const size = await log.size();
      for (const one of waiting) if (one.place < size) one.wake();
      failed = false;
    } catch (error) {
      if (!failed) onProblem(error);
      failed = true;
    } finally {
      looking = false;
    }
    schedule(pollMs);
  }

  /** Nobody waits: nobody looks. */
  function schedule(ms: number): void {
    if (stopped || waiting.size === 0) return;
    timer ??= setTimeout(() => void look(), ms).unref();
  }

  // An append is hinted at before its checkpoint is signed: look soon, and then as often as always.
  onAppended?.(() => schedule(Math.min(pollMs, 50)));

  return {
    ...log,
    async untilBeyond(place, signal, ms) {
      if (stopped || signal.aborted) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      const wake = (): void => resolve();
      const one = { place, wake };
      const end = setTimeout(resolve, ms).unref();
      signal.addEventListener("abort", wake, { once: true });
      waiting.add(one);
      schedule(0);
      await promise;
      waiting.delete(one);
      clearTimeout(end);
      signal.removeEventListener("abort", wake);
    },
    stop() {
      stopped = true;
      if (timer !== null) clearTimeout(timer);
      for (const { wake } of waiting) wake();
    },
  };
}
