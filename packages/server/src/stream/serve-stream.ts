import { once } from "node:events";
import type { Writable } from "node:stream";
import type { EventFilter } from "@remit/contract";
import { RemitError } from "@remit/contract";
import type { EventFeed } from "./event-feed.ts";

export type StreamTimes = {
  /** A comment at least so often: proxies close what is silent. */
  heartbeatMs: number;
  /** What is sent was allowed no longer ago than this. */
  recheckMs: number;
  /** Whoever takes nothing for so long is cut off, and may come back. */
  stallMs: number;
};

export type ServedStream = {
  feed: EventFeed;
  filter: EventFilter;
  /** The place of the first event that is wanted. */
  from: number;
  to: Writable;
  /** Whether whoever asked may still see this. @throws RemitError where not */
  authorise: () => Promise<void>;
  times: StreamTimes;
  /** Ends it: the connection is gone, or the server stops. */
  signal: AbortSignal;
};

const batchSize = 64;

/**
 * Server-sent events until the connection ends. The next events are read only once the last ones were taken, so that a consumer that takes
 * nothing holds one batch and no more, whatever happens meanwhile.
 */
export async function serveStream({ feed, filter, from, to, authorise, times, signal }: ServedStream): Promise<void> {
  let place = from;
  let checkedAt = performance.now();
  let saidAt = performance.now();

  async function allowed(): Promise<void> {
    if (performance.now() - checkedAt < times.recheckMs) return;
    await authorise();
    checkedAt = performance.now();
  }

  async function say(text: string): Promise<void> {
    saidAt = performance.now();
    if (to.write(text)) return;
    const drained = new AbortController();
    const stall = setTimeout(() => drained.abort(), times.stallMs).unref();
    try {
      await once(to, "drain", { signal: AbortSignal.any([drained.signal, signal]) });
    } catch {
      if (!signal.aborted) to.destroy();
      throw new Gone();
    } finally {
      clearTimeout(stall);
    }
  }

  try {
    await say("retry: 2000\n\n");
    while (!signal.aborted) {
      const { events, next } = await feed.read(place, filter, batchSize);
      if (events.length > 0) {
        await allowed();
        await say(events.map((event) => `id: ${Number(event.sequence)}\ndata: ${JSON.stringify(event)}\n\n`).join(""));
      }
      if (next > place) {
        place = next;
        continue;
      }
      const silence = times.heartbeatMs - (performance.now() - saidAt);
      if (silence > 0) await feed.untilBeyond(place, signal, silence);
      if (signal.aborted || performance.now() - saidAt < times.heartbeatMs) continue;
      await allowed();
      // The id goes on also where nothing matched: whoever comes back need not look through all of that again.
      await say(`: heartbeat\n${place === 0 ? "" : `id: ${place - 1}\n`}\n`);
    }
  } catch (error) {
    if (error instanceof Gone) return;
    const { code, message } = RemitError.is(error) ? error : new RemitError("internal", "The stream broke off here");
    to.write(`event: end\ndata: ${JSON.stringify({ code, detail: message })}\n\n`);
    if (!RemitError.is(error)) throw error;
  } finally {
    to.end();
  }
}

/** The consumer is gone: there is nobody to tell anything. */
class Gone extends Error {}
