import { AckPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import type { NatsConnection } from "@nats-io/transport-node";
import { eventMediaType, sequenceOf, streamedEventSchema } from "@remit/contract";
import type { Id, StreamedEvent } from "@remit/contract";
import { expect, test, vi } from "vitest";
import { fill, testId } from "../ledger/ledger.testing.ts";
import { cursorStore } from "./cursor.postgres.ts";
import { readNatsSettings } from "./nats-settings.ts";
import { natsSubject, openNatsSink } from "./nats-sink.ts";
import { hasNatsServer, openNatsServer } from "./nats.testing.ts";
import { startPublisher } from "./publisher.ts";
import { openTestStream } from "./stream.testing.ts";

const patient = { timeout: 30_000, interval: 50 };
const installed = hasNatsServer();
if (!installed) console.log("not run: there is no nats-server here to publish to (Debian: apt-get install nats-server)");

const settings = (url: string) => ({ servers: [url], stream: "REMIT", prefix: "remit", createStream: true });

/** Takes messages until it has so many different ones. `deaths`: after how many it goes without acknowledging the last. */
async function consume(url: string, name: string, deaths: readonly number[], all: number): Promise<StreamedEvent[]> {
  const seen: StreamedEvent[] = [];
  const isDone = (): boolean => new Set(seen.map(({ id }) => id)).size === all;
  const left = [...deaths];
  let taken = 0;

  /** One life: until it has all, dies, or the broker does. */
  async function live(connection: NatsConnection): Promise<void> {
    const manager = await jetstreamManager(connection);
    // One at a time: who has several in hand when it dies gets what comes after them first.
    const second = 1_000_000_000;
    await manager.consumers.add("REMIT", { durable_name: name, ack_policy: AckPolicy.Explicit, ack_wait: second, max_ack_pending: 1 });
    const consumer = await jetstream(connection).consumers.get("REMIT", name);
    while (!isDone()) {
      const message = await consumer.next({ expires: 1_000 });
      if (message === null) continue;
      const event = streamedEventSchema.parse(message.json());
      expect(message.subject).toBe(natsSubject("remit", event));
      expect(message.headers?.get("content-type")).toBe(eventMediaType);
      seen.push(event);
      taken += 1;
      if (taken > (left[0] ?? Number.POSITIVE_INFINITY)) {
        left.shift();
        taken = 0;
        return;
      }
      await message.ackAck();
    }
  }

  for (const end = Date.now() + 100_000; !isDone() && Date.now() < end;) {
    const connection = await connect({ servers: url, reconnect: false }).catch(() => null);
    if (connection !== null) await live(connection).catch(() => {});
    await connection?.close().catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return seen;
}

test.skipIf(!installed)(
  "[RUN-16][RUN-18] a real JetStream keeps every event once, whatever is killed, and three consumers that are killed and resumed miss none (needs nats-server)",
  async () => {
    await using stream = await openTestStream();
    await using nats = await openNatsServer();
    const publish = () =>
      startPublisher({
        name: "nats:REMIT",
        database: stream.database,
        cursors: cursorStore,
        feed: stream.feed,
        open: () => openNatsSink(settings(nats.url)),
        onProblem: () => {},
        leaseMs: 2_000,
        maxPauseMs: 200,
      });
    let publisher = publish();
    const runs = Array.from({ length: 3 }, () => testId("run"));
    const entries = [...(await fill(stream, [50, 50], (seq) => ({ runId: runs[seq % 3] as Id<"run"> })))];
    const reached = async (count: number) => {
      await vi.waitFor(async () => {
        const connection = await connect({ servers: nats.url, reconnect: false });
        try {
          const { state } = await (await jetstreamManager(connection)).streams.info("REMIT");
          expect(state.messages).toBe(count);
        } finally {
          await connection.close();
        }
      }, patient);
    };
    await reached(100);

    // Three consumers, each with a durable place; each dies after some messages, without a word for the last, and comes back.
    const consumers = ["one", "two", "three"].map((name, index) => consume(nats.url, name, [10 + index * 7, 40], 200));

    // The broker goes and comes back; the publisher does as well; all the while entries are written.
    await nats.stop();
    entries.push(...(await fill(stream, [50], (seq) => ({ runId: runs[seq % 3] as Id<"run"> }))));
    await nats.start();
    await reached(150);
    await publisher.stop();
    entries.push(...(await fill(stream, [50], (seq) => ({ runId: runs[seq % 3] as Id<"run"> }))));
    publisher = publish();
    await reached(200);
    // As after a restore: everything is sent again, and the broker, which knows the ids, keeps none of it twice.
    await publisher.stop();
    await stream.database.query("UPDATE stream_cursor SET place = 0");
    publisher = publish();
    await vi.waitFor(
      async () => expect((await stream.database.query("SELECT FROM stream_cursor WHERE place = 200")).length).toBe(1),
      patient,
    );
    await reached(200);
    await publisher.stop();

    for (const seen of await Promise.all(consumers)) {
      const first = seen.filter(({ id }, index) => seen.findIndex((event) => event.id === id) === index);
      expect(new Set(seen.map(({ id }) => id))).toEqual(new Set(entries.map(({ id }) => id)));
      // Doubles are the same event to the byte.
      expect(new Set(seen.map((event) => JSON.stringify(event))).size).toBe(200);
      for (const run of runs) {
        const places = first.filter(({ runid }) => runid === run).map(sequenceOf);
        expect(places).toEqual(places.toSorted((left, right) => left - right));
      }
    }
  },
  120_000,
);

test.skipIf(!installed)("what is missing at the broker is said, with what to do (needs nats-server)", async () => {
  await using nats = await openNatsServer();
  await expect(openNatsSink({ ...settings(nats.url), createStream: false })).rejects.toThrow(/no stream REMIT; make one for remit\.>/);
  await (await openNatsSink(settings(nats.url))).close();
  await expect(openNatsSink({ ...settings(nats.url), prefix: "other" })).rejects.toThrow(/does not take other\.>/);
});

test("a broker that is not there is said to be so", async () => {
  await expect(openNatsSink(settings("nats://127.0.0.1:9"))).rejects.toMatchObject({ code: "server-unavailable" });
});

test.each<[Record<string, string>, object | null]>([
  [{}, null],
  [
    { REMIT_NATS_URL: "nats://one:4222, tls://two:4222" },
    { servers: ["nats://one:4222", "tls://two:4222"], stream: "REMIT", prefix: "remit", createStream: false },
  ],
  [
    { REMIT_NATS_URL: "nats://n:4222", REMIT_NATS_STREAM: "AUDIT", REMIT_NATS_CREATE_STREAM: "yes", REMIT_NATS_TOKEN: "t" },
    { stream: "AUDIT", createStream: true, token: "t" },
  ],
])("settings %j", (environment, expected) => {
  const found = readNatsSettings(environment);
  if (expected === null) expect(found).toBeNull();
  else expect(found).toMatchObject(expected);
});

test.each<[Record<string, string>, RegExp]>([
  [{ REMIT_NATS_URL: "http://n:4222" }, /REMIT_NATS_URL/],
  [{ REMIT_NATS_URL: "nats://me:word@n:4222" }, /without a password/],
  [{ REMIT_NATS_URL: "nats://n", REMIT_NATS_STREAM: "a b" }, /REMIT_NATS_STREAM/],
  [{ REMIT_NATS_URL: "nats://n", REMIT_NATS_PREFIX: "a.>" }, /REMIT_NATS_PREFIX/],
  [{ REMIT_NATS_URL: "nats://n", REMIT_NATS_CREATE_STREAM: "true" }, /yes or no/],
  [{ REMIT_NATS_URL: "nats://n", REMIT_NATS_CREDENTIALS: "/nowhere/x.creds" }, /cannot be read/],
])("settings %j are refused", (environment, says) => {
  expect(() => readNatsSettings(environment)).toThrow(says);
});
