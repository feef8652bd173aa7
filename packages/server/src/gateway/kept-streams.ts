import { readJson } from "../json/read-json.ts";
import type { EventStream, KeptBy } from "./event-stream.ts";

/**
 * The streams of one session's requests, kept so that a client whose connection breaks can come back for what it has missed (MCP
 * 2025-11-25, Resumability and Redelivery). In memory, and bounded: a client that stays away too long, or misses too much, is told that
 * there is nothing to come back to.
 */
export type KeptStreams = KeptBy & {
  /** Goes on where the client stopped reading. False: this is no event of a stream that is kept. */
  resume(after: string, stream: EventStream): boolean;
  close(): void;
};

type Kept = { name: string; events: string[]; dropped: number; bytes: number; reader: EventStream | null; isOver: boolean };

/** Of one stream. */
const maxEvents = 256;
const maxBytes = 1024 * 1024;
/** Of all streams of a session that are over. That a connection looks whole says nothing of what has arrived, so they are kept for a while. */
const maxOver = 16;
const maxBytesOver = 256 * 1024;

/** @param primes whether the client's revision knows an event without data, with which a stream begins */
export function createKeptStreams(primes: boolean): KeptStreams {
  const kept = new Map<string, Kept>();
  let count = 0;

  function forgetOldest(): void {
    let [streams, bytes] = [0, 0];
    for (const one of [...kept.values()].reverse()) {
      if (!one.isOver) continue;
      streams += 1;
      bytes += one.bytes;
      if (streams > 1 && (streams > maxOver || bytes > maxBytesOver)) kept.delete(one.name);
    }
  }

  function keep(one: Kept, json: string): string {
    one.events.push(json);
    one.bytes += json.length;
    while (one.events.length > maxEvents || (one.bytes > maxBytes && one.events.length > 0)) {
      one.bytes -= one.events.shift()?.length ?? 0;
      one.dropped += 1;
    }
    return `${one.name}-${one.dropped + one.events.length}`;
  }

  return {
    keeper() {
      const one: Kept = { name: "", events: [], dropped: 0, bytes: 0, reader: null, isOver: false };
      return {
        begin() {
          count += 1;
          one.name = `s${count}`;
          kept.set(one.name, one);
          return primes ? `${one.name}-0` : null;
        },
        keep(json) {
          const id = keep(one, json);
          return { id, isSent: one.reader?.send(readJson(json) as never, id) === true };
        },
        ended() {
          one.isOver = true;
          one.reader?.end();
          forgetOldest();
        },
      };
    },
    resume(after, stream) {
      const [, name = "", number = ""] = /^(s\d{1,9})-(\d{1,9})$/.exec(after) ?? [];
      const one = kept.get(name);
      // What was dropped cannot be given, and a gap would look like the whole.
      if (one === undefined || Number(number) < one.dropped || Number(number) > one.dropped + one.events.length) return false;
      one.reader?.end();
      one.reader = stream;
      stream.onClosed(() => {
        if (one.reader === stream) one.reader = null;
      });
      const from = Number(number) - one.dropped;
      for (const [index, json] of one.events.slice(from).entries())
        stream.send(readJson(json) as never, `${name}-${Number(number) + index + 1}`);
      if (one.isOver) stream.end();
      return true;
    },
    close() {
      for (const { reader } of kept.values()) reader?.end();
      kept.clear();
    },
  };
}
