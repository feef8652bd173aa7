import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { Served } from "../up/served.testing.ts";
import { serveRegistry } from "../up/served.testing.ts";
import { readServerSentEvents } from "./read-events.ts";

let served: Served;
beforeAll(async () => {
  served = await serveRegistry({});
});
afterAll(() => served.stop());

const remit = (...args: string[]) => served.remit(args);

test("the newest events are told in words, and with --json as CloudEvents to a line", async () => {
  await vi.waitFor(async () => expect((await remit("events", "tail")).out).toMatch(/^\d+ {2}\S+ {2}server-started {2}service:remit/m), {
    timeout: 30_000,
  });
  const { out, exit } = await remit("events", "tail", "--after", "-1", "--types", "server-*", "--json");
  expect(exit).toBe(0);
  expect(JSON.parse(out.split("\n")[0] ?? "")).toMatchObject({ specversion: "1.0", type: "dev.remit.server-started" });
  expect(await remit("events", "tail", "--types", "halt-*")).toMatchObject({ exit: 0, out: "", err: "No events.\n" });
});

test("it follows until it is interrupted", async () => {
  const { around, exit } = served.start(["events", "tail", "--follow", "--after", "-1", "--json"]);
  await vi.waitFor(() => expect(around.out()).toContain("dev.remit.server-started"), { timeout: 30_000 });
  // Somebody who is turned away leaves an entry.
  await fetch(`${served.url}/v1/halts`);
  await vi.waitFor(() => expect(around.out()).toContain("dev.remit.access-refused"), { timeout: 30_000 });
  around.interrupt();
  expect(await exit).toBe(0);
});

test("what cannot get better ends it at once", async () => {
  expect(await remit("events", "tail", "--follow", "--after", "99999")).toMatchObject({ exit: 1 });
  const wrong = await remit("events", "tail", "--types", "approval-vanished");
  expect(wrong.exit).toBe(2);
  expect(wrong.err).toContain("remit events types");
});

test("[RUN-17] how far a broker has been given events is told, and moved", async () => {
  expect((await remit("events", "publishers")).err).toContain("Nothing is published");
  expect(await remit("events", "republish", "nats:REMIT", "--from", "0")).toMatchObject({ exit: 1 });
  await served.database.superuser.query("INSERT INTO stream_cursor (name, place) VALUES ('nats:REMIT', 1)");
  expect((await remit("events", "publishers")).out).toMatch(/nats:REMIT +1 +\d+ +no/);
  expect((await remit("events", "republish", "nats:REMIT", "--from", "0")).out).toContain("goes on with event 0");
  expect((await remit("events", "republish", "nats:REMIT", "--from", "999999")).err).toContain("there is no place 999999 yet");
  expect(await remit("events", "republish", "nats:REMIT", "--from", "-1")).toMatchObject({ exit: 2 });
  await vi.waitFor(async () => expect((await remit("events", "tail", "--types", "publisher-moved")).out).toContain('"from":0'), {
    timeout: 30_000,
  });
});

test("the types are told without a server", async () => {
  expect((await remit("events", "types")).out).toMatch(/dev\.remit\.approval-requested +People were asked to approve an action\./);
});

test.each<[string, string[], unknown[]]>([
  ["an event", ["id: 4\ndata: {}\n\n"], [{ id: "4", event: "message", data: "{}" }]],
  ["cut anywhere", ["i", "d: 4\nda", "ta: {", "}\n", "\n"], [{ id: "4", event: "message", data: "{}" }]],
  ["a comment with an id", [": beat\nid: 9\n\n"], [{ id: "9", event: "message", data: null }]],
  ["a named event", ["event: end\r\ndata: a\r\ndata: b\r\n\r\n"], [{ id: null, event: "end", data: "a\nb" }]],
  ["one that is not whole", ["id: 4\ndata: {}\n"], []],
])("reading %s", async (_name, chunks, expected) => {
  const found = [];
  const bytes = (async function* () {
    for (const chunk of chunks) yield Buffer.from(chunk);
  })();
  for await (const event of readServerSentEvents(bytes)) found.push(event);
  expect(found).toEqual(expected);
});
