import { Writable } from "node:stream";
import { RemitError } from "@remit/contract";
import { expect, test, vi } from "vitest";
import { fill } from "../ledger/ledger.testing.ts";
import { serveStream } from "./serve-stream.ts";
import { openTestStream } from "./stream.testing.ts";

const patient = { timeout: 30_000, interval: 20 };
const times = { heartbeatMs: 60_000, recheckMs: 0, stallMs: 60_000 };
const all = { types: null, run: null, agent: null };

/** Takes one piece and never another. */
function hanging() {
  const taken: string[] = [];
  const to = new Writable({ highWaterMark: 1_024, write: (chunk: Buffer) => void taken.push(chunk.toString()) });
  to.on("error", () => {});
  return { to, taken };
}

test("[CTL-37][RUN-16] consumers that take nothing hold one batch each, whatever happens, and hold nobody up", async () => {
  await using stream = await openTestStream();
  const gone = new AbortController();
  let reads = 0;
  const feed = { ...stream.feed, read: (...query: Parameters<typeof stream.feed.read>) => ((reads += 1), stream.feed.read(...query)) };
  const hanged = Array.from({ length: 5 }, hanging);
  const serving = hanged.map(({ to }) =>
    serveStream({ feed, filter: all, from: 0, to, authorise: () => Promise.resolve(), times, signal: gone.signal }),
  );
  // Every one of these is an entry that an action would wait for.
  await fill(stream, [100, 100, 100, 100, 100], () => ({ data: { words: "x".repeat(2_000) } }));
  // The greeting was taken; behind it waits one batch.
  await vi.waitFor(() => expect(hanged.every(({ to }) => to.writableLength > 2_000)).toBe(true), patient);
  const held = hanged.map(({ to }) => to.writableLength);
  const asked = reads;
  await fill(stream, [100, 100], () => ({ data: { words: "y".repeat(2_000) } }));
  const other: string[] = [];
  const ended = new AbortController();
  const taking = new Writable({ write: (chunk: Buffer, _encoding, done) => (other.push(chunk.toString()), done()) });
  const listening = serveStream({
    feed: stream.feed,
    filter: all,
    from: 0,
    to: taking,
    authorise: () => Promise.resolve(),
    times,
    signal: ended.signal,
  });
  await vi.waitFor(() => expect(other.join("").match(/^id: /gm)).toHaveLength(700), patient);
  // Nothing was read for those that hang, and nothing was put on top of what they hold.
  expect(reads).toBe(asked);
  expect(hanged.map(({ to }) => to.writableLength)).toEqual(held);
  for (const size of held) expect(size).toBeLessThan(64 * 4_000);
  gone.abort();
  ended.abort();
  await Promise.all([...serving, listening]);
});

test("a consumer that takes nothing for too long is cut off", async () => {
  await using stream = await openTestStream();
  await fill(stream, [10], () => ({ data: { words: "x".repeat(2_000) } }));
  const { to } = hanging();
  const signal = new AbortController().signal;
  const authorise = () => Promise.resolve();
  await serveStream({ feed: stream.feed, filter: all, from: 0, to, authorise, times: { ...times, stallMs: 1 }, signal });
  expect(to.destroyed).toBe(true);
});

test("what breaks is said, without what is inside", async () => {
  await using stream = await openTestStream();
  const said: string[] = [];
  const to = new Writable({ write: (chunk: Buffer, _encoding, done) => (said.push(chunk.toString()), done()) });
  const feed = { ...stream.feed, read: () => Promise.reject(new Error("password hunter2")) };
  const authorise = () => Promise.resolve();
  const serving = serveStream({ feed, filter: all, from: 0, to, authorise, times, signal: new AbortController().signal });
  await expect(serving).rejects.toThrow("hunter2");
  expect(said.at(-1)).toBe('event: end\ndata: {"code":"internal","detail":"The stream broke off here"}\n\n');
  const refusing = { ...stream.feed, read: () => Promise.reject(new RemitError("database-unavailable", "The database does not answer")) };
  const again = new Writable({ write: (chunk: Buffer, _encoding, done) => (said.push(chunk.toString()), done()) });
  await serveStream({ feed: refusing, filter: all, from: 0, to: again, authorise, times, signal: new AbortController().signal });
  expect(said.at(-1)).toContain("database-unavailable");
});
