import type { Id, StreamedEvent } from "@remit/contract";
import { sequenceOf } from "@remit/contract";
import { expect, test, vi } from "vitest";
import { fill, testId } from "../ledger/ledger.testing.ts";
import { cursorStore } from "./cursor.postgres.ts";
import { startPublisher } from "./publisher.ts";
import type { EventSink } from "./publisher.ts";
import { openTestStream } from "./stream.testing.ts";
import type { TestStream } from "./stream.testing.ts";

const patient = { timeout: 60_000, interval: 20 };
vi.setConfig({ testTimeout: 180_000 });

/** A broker that keeps each id once, as the real one does for a while, and fails when it is told to. */
function broker() {
  const sent: StreamedEvent[] = [];
  const kept = new Map<string, StreamedEvent>();
  const state = { down: false, opened: 0, refuse: (_event: StreamedEvent): boolean => false };
  const open = async (): Promise<EventSink> => {
    if (state.down) throw new Error("the broker is down");
    state.opened += 1;
    return {
      async publish(event) {
        if (state.down || state.refuse(event)) throw new Error("not kept");
        sent.push(event);
        if (!kept.has(event.id)) kept.set(event.id, event);
      },
      close: () => Promise.resolve(),
    };
  };
  return { sent, kept, state, open };
}

function start(stream: TestStream, open: () => Promise<EventSink>, problems: unknown[] = [], leaseMs = 30_000) {
  return startPublisher({
    name: "broker",
    database: stream.database,
    cursors: cursorStore,
    feed: stream.feed,
    open,
    onProblem: (problem) => problems.push(problem),
    leaseMs,
    maxPauseMs: 50,
  });
}

const inOrder = (events: Iterable<StreamedEvent>): boolean => {
  const last = new Map<string, number>();
  return [...events].every((event) => {
    const run = event.runid ?? "";
    const ok = sequenceOf(event) > (last.get(run) ?? -1);
    last.set(run, sequenceOf(event));
    return ok;
  });
};

test("[RUN-16][RUN-18] a broker gets the whole ledger, in order per run, and an outage is made up for", async () => {
  await using stream = await openTestStream();
  const { kept, state, open, sent } = broker();
  const problems: unknown[] = [];
  const runs = Array.from({ length: 4 }, () => testId("run"));
  const runOf = (seq: number) => ({ runId: runs[seq % 4] as Id<"run"> });
  await fill(stream, [300], runOf);
  const publisher = start(stream, open, problems);
  await vi.waitFor(() => expect(kept.size).toBe(300), patient);
  state.down = true;
  await fill(stream, [50, 50], runOf);
  await vi.waitFor(() => expect(problems.length).toBeGreaterThan(0), patient);
  state.down = false;
  await vi.waitFor(() => expect(kept.size).toBe(400), patient);
  expect(inOrder(kept.values())).toBe(true);
  // Said once, and not each time that it tried.
  expect(problems).toHaveLength(1);
  await publisher.stop();
  const again = start(stream, open, problems);
  await fill(stream, [5], runOf);
  await vi.waitFor(() => expect(kept.size).toBe(405), patient);
  // Begun anew where the first one had been, and not from the beginning.
  expect(sent.length).toBeLessThan(405 + 256);
  await again.stop();
});

test("[RUN-18] what follows a failure in its run is not sent before it", async () => {
  await using stream = await openTestStream();
  const { kept, state, open } = broker();
  const runs = [testId("run"), testId("run")];
  const entries = await fill(stream, [40], (seq) => ({ runId: runs[seq % 2] as Id<"run"> }));
  let refusals = 0;
  state.refuse = ({ id }) => id === entries[10]?.id && (refusals += 1) < 4;
  const publisher = start(stream, open);
  await vi.waitFor(() => expect(kept.size).toBe(40), patient);
  expect(refusals).toBe(4);
  expect(inOrder(kept.values())).toBe(true);
  await publisher.stop();
});

test("[AUD-14] of several servers one publishes, and another when that one is gone; who lost the lease moves nothing", async () => {
  await using stream = await openTestStream();
  const brokers = [broker(), broker()] as const;
  const first = start(stream, brokers[0].open);
  await fill(stream, [20]);
  await vi.waitFor(() => expect(brokers[0].kept.size).toBe(20), patient);
  const second = start(stream, brokers[1].open);
  await fill(stream, [20]);
  await vi.waitFor(() => expect(brokers[0].kept.size).toBe(40), patient);
  expect(brokers[1].kept.size).toBe(0);
  await first.stop();
  await fill(stream, [20]);
  await vi.waitFor(() => expect(brokers[1].kept.size).toBe(20), patient);
  // Taken away in the middle, as from a server that was cut off.
  const stale = await cursorStore.claim(stream.database, "other", "a", 60_000, 0);
  await stream.database.query("UPDATE stream_cursor SET held_until = '-infinity' WHERE name = 'other'");
  const next = await cursorStore.claim(stream.database, "other", "b", 60_000, 0);
  expect(await cursorStore.claim(stream.database, "other", "c", 60_000, 0)).toBeNull();
  expect(await cursorStore.move(stream.database, "other", stale?.epoch ?? "", 50, 60_000)).toBe(false);
  expect(await cursorStore.move(stream.database, "other", next?.epoch ?? "", 10, 60_000)).toBe(true);
  await second.stop();
});

test("[RUN-17] whoever is put back publishes again from there, also while it is at it, and under the same ids", async () => {
  await using stream = await openTestStream();
  const { kept, sent, open } = broker();
  const publisher = start(stream, open);
  await fill(stream, [30]);
  await vi.waitFor(() => expect(kept.size).toBe(30), patient);
  const put = (name: string, place: number) => stream.database.transaction((transaction) => cursorStore.put(transaction, name, place));
  expect(await put("nobody", 0)).toBeNull();
  await vi.waitFor(
    async () => expect(await cursorStore.list(stream.database)).toEqual([{ name: "broker", place: 30, active: true }]),
    patient,
  );
  expect(await put("broker", 10)).toBe(30);
  // What wakes the one that waits is that there is more.
  await fill(stream, [1]);
  await vi.waitFor(() => expect(kept.size).toBe(31), patient);
  await vi.waitFor(() => expect(sent.length).toBeGreaterThanOrEqual(51), patient);
  expect(new Set(sent.slice(30).map(sequenceOf))).toEqual(new Set(Array.from({ length: 21 }, (_, index) => index + 10)));
  await publisher.stop();
});

test("[CTL-37] a broker that hangs holds nobody up", async () => {
  await using stream = await openTestStream();
  const hanging = Promise.withResolvers<void>();
  let asked = 0;
  const sink: EventSink = { publish: () => ((asked += 1), hanging.promise), close: () => Promise.resolve() };
  const publisher = start(stream, () => Promise.resolve(sink));
  await fill(stream, [40], () => ({ runId: testId("run") }));
  await vi.waitFor(() => expect(asked).toBeGreaterThan(0), patient);
  await fill(stream, [100, 100]);
  expect(await stream.feed.size()).toBe(240);
  // One event of each run at most is under way, and no window is read before the last was kept.
  expect(asked).toBeLessThanOrEqual(32);
  hanging.resolve();
  await vi.waitFor(() => expect(asked).toBe(240), patient);
  await publisher.stop();
});
