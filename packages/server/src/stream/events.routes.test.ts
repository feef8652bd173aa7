import { eventBatchMediaType, sequenceOf, streamedEventSchema } from "@remit/contract";
import type { Problem } from "@remit/contract";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { fill, testEntry, testId } from "../ledger/ledger.testing.ts";
import { listen, openTestStream, testPerson } from "./stream.testing.ts";
import type { TestStream } from "./stream.testing.ts";

const patient = { timeout: 30_000, interval: 20 };
let stream: TestStream;
beforeAll(async () => {
  stream = await openTestStream({ times: { heartbeatMs: 100 }, perPrincipal: 8 });
});
afterAll(() => stream[Symbol.asyncDispose]());

const get = (query: string, headers: Record<string, string> = {}) =>
  stream.app.inject({ url: `/v1/events${query}`, headers: { host: "localhost", authorization: "Bearer anna", ...headers } });

async function size(): Promise<number> {
  return stream.feed.size();
}

test("[RUN-16][RUN-18] every event comes once and in order, and a consumer goes on where it was", async () => {
  const start = await size();
  await fill(stream, [3, 2]);
  const first = await listen(stream.url, { query: `?after=${start - 1}` });
  expect(first.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
  await vi.waitFor(() => expect(first.events).toHaveLength(5), patient);
  first.close();
  await fill(stream, [4]);
  const second = await listen(stream.url, { query: `?after=${start - 1}`, lastEventId: String(start + 4) });
  await fill(stream, [1]);
  await vi.waitFor(() => expect(second.events).toHaveLength(5), patient);
  second.close();
  expect([...first.events, ...second.events].map(sequenceOf)).toEqual(Array.from({ length: 10 }, (_, index) => start + index));
  expect(second.blocks[1]).toMatch(new RegExp(`^id: ${start + 5}\ndata: {`));
});

test("an event is a CloudEvent that says what it is about, and carries no payload", async () => {
  const start = await size();
  const [run, action, approval] = [testId("run"), testId("action"), testId("approval")];
  await stream.database.transaction((transaction) =>
    stream.ledger.append(transaction, [
      testEntry("action-waiting", {
        runId: run,
        actionId: action,
        traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
        data: { agent: "triage", tool: "crm__refund" },
        payloads: [{ name: "arguments", subject: `run:${run}`, value: { card: "4111 1111 1111 1111" } }],
      }),
      testEntry("approval-voted", { actor: "party:maria", actionId: action, approvalId: approval, data: { vote: "approve" } }),
      testEntry("registry-applied", { actor: "party:ada", data: {} }),
    ]),
  );
  await stream.sequencer.flushed();
  const response = await get(`?after=${start - 1}`);
  expect(response.headers["content-type"]).toMatch(eventBatchMediaType);
  const [waiting, voted, applied] = z.array(streamedEventSchema).parse(response.json());
  expect(waiting).toMatchObject({
    type: "dev.remit.action-waiting",
    source: "remit.local/ledger",
    subject: run,
    sequence: String(start).padStart(16, "0"),
    traceparent: `00-4bf92f3577b34da6a3ce929d0e0e4736-${waiting?.id.slice(-16) ?? ""}-00`,
    actor: "agent:triage",
    agent: "triage",
    runid: run,
    actionid: action,
  });
  expect(waiting?.data["payloads"]).toEqual({
    arguments: { commitment: expect.stringMatching(/^[0-9a-f]{64}$/) as string, sealed: expect.stringMatching(/^[0-9a-f]{64}$/) as string },
  });
  expect(response.body).not.toContain("4111");
  // The vote's own entry names neither run nor agent.
  expect(voted).toMatchObject({ subject: run, runid: run, agent: "triage", actor: "party:maria" });
  expect(applied).not.toHaveProperty("subject");
  for (const query of [`run=${run}`, "agent=triage&types=approval-*,dev.remit.action-waiting"]) {
    const found = z.array(streamedEventSchema).parse((await get(`?after=${start - 1}&${query}`)).json());
    expect(found.map(({ type }) => type)).toEqual(["dev.remit.action-waiting", "dev.remit.approval-voted"]);
  }
});

test("pages of events lead on to what has not happened yet", async () => {
  const start = await size();
  await fill(stream, [5]);
  const seen: number[] = [];
  let url = `?after=${start - 1}&limit=2`;
  for (let page = 0; page < 4; page += 1) {
    const response = await get(url);
    seen.push(...z.array(streamedEventSchema).parse(response.json()).map(sequenceOf));
    url = /^<\/v1\/events(\?.*)>; rel="next"$/.exec(String(response.headers["link"]))?.[1] ?? "";
  }
  expect(seen).toEqual([0, 1, 2, 3, 4].map((index) => start + index));
  expect((await get(url)).json()).toEqual([]);
  await fill(stream, [1]);
  expect(
    z
      .array(streamedEventSchema)
      .parse((await get(url)).json())
      .map(sequenceOf),
  ).toEqual([start + 5]);
  expect(
    z
      .array(streamedEventSchema)
      .parse((await get("?limit=2")).json())
      .map(sequenceOf),
  ).toEqual([start + 4, start + 5]);
});

test("what has no place under a checkpoint is not sent, however long it waits", async () => {
  const start = await size();
  const consumer = await listen(stream.url);
  // Committed, and forgotten by the queue: no sequencer will ever see it.
  await stream.ledger.record(testEntry("server-lost", { data: { left: "behind" } }));
  await stream.sequencer.flushed();
  await stream.superuser.query(
    "INSERT INTO ledger_entry (id, body, type, at, actor) SELECT 'ent_unsequenced', body, type, at, actor FROM ledger_entry WHERE type = 'server-lost'",
  );
  // A leaf that no checkpoint signs, as one would be that somebody has written by hand.
  await stream.superuser.query("INSERT INTO ledger_leaf (seq, entry_id, leaf_hash) VALUES (1000000, 'ent_unsequenced', '')");
  try {
    await vi.waitFor(() => expect(consumer.blocks.filter((block) => block.startsWith(": heartbeat")).length).toBeGreaterThan(2), patient);
    expect(consumer.events.map(({ id }) => id)).not.toContain("ent_unsequenced");
    expect(consumer.events.map(sequenceOf)).toEqual([start]);
  } finally {
    consumer.close();
    await stream.superuser.query("DELETE FROM ledger_leaf WHERE seq = 1000000");
    await stream.superuser.query("DELETE FROM ledger_entry WHERE id = 'ent_unsequenced'");
  }
});

test("a stream that nothing matches says how far it has looked", async () => {
  const consumer = await listen(stream.url, { query: "?after=-1&types=fault-added" });
  await fill(stream, [2]);
  const last = (await size()) - 1;
  await vi.waitFor(() => expect(consumer.blocks).toContain(`: heartbeat\nid: ${last}`), patient);
  expect(consumer.events).toEqual([]);
  consumer.close();
});

describe("[CTL-37] who may listen", () => {
  test.each([
    ["nobody", "", 401],
    ["a viewer", "Bearer vera", 403],
    ["an agent's token", "Bearer eyJhbGciOiJFUzI1NiJ9.e30.x", 401],
    ["the wrong machine", "Machine other", 401],
    ["an operator", "Bearer olga", 200],
    ["an auditor", "Bearer anna", 200],
    ["whoever owns the data folder", "Machine machine-key", 200],
  ])("%s", async (_who, authorization, status) => {
    for (const accept of ["application/json", "text/event-stream"]) {
      const gone = new AbortController();
      const response = await fetch(`${stream.url}/v1/events`, {
        headers: { accept, ...(authorization === "" ? {} : { authorization }) },
        signal: gone.signal,
      });
      expect(response.status).toBe(status);
      gone.abort();
    }
  });

  test.each<[string, () => void, string]>([
    ["the session ends", () => delete stream.people["eve"], "unauthenticated"],
    ["the role is taken away", () => void (stream.people["eve"] = testPerson("eve", ["viewer"])), "forbidden"],
  ])("nothing is sent any more once %s", async (_why, change, code) => {
    stream.people["eve"] = testPerson("eve", ["auditor"]);
    const consumer = await listen(stream.url, { session: "eve" });
    await fill(stream, [1]);
    await vi.waitFor(() => expect(consumer.events).toHaveLength(1), patient);
    change();
    await fill(stream, [1]);
    await consumer.ended;
    expect(consumer.events).toHaveLength(1);
    expect(consumer.blocks.at(-1)).toContain(`event: end\ndata: {"code":"${code}"`);
  });

  test("one principal has so many streams and no more; one that ends makes room", async () => {
    stream.people["max"] = testPerson("max", ["auditor"]);
    const open = await Promise.all(Array.from({ length: 8 }, () => listen(stream.url, { session: "max" })));
    expect(open.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 200));
    expect((await listen(stream.url, { session: "max" })).status).toBe(429);
    expect((await listen(stream.url, { session: "olga" })).status).toBe(200);
    open[0]?.close();
    await vi.waitFor(async () => {
      const again = await listen(stream.url, { session: "max" });
      open.push(again);
      expect(again.status).toBe(200);
    }, patient);
    for (const consumer of open) consumer.close();
  });
});

describe("what is asked for wrongly", () => {
  test.each([
    ["?types=action-exploded", 400, /there is no event type/],
    ["?types=", 400, /types/],
    ["?after=-2", 400, /after/],
    ["?after=1e99", 400, /after/],
    ["?limit=0", 400, /limit/],
    ["?since=now", 400, /since/],
    ["?after=900000", 409, /restored from a backup/],
  ])("%s: %i", async (query, status, says) => {
    const response = await get(query, { accept: "text/event-stream" });
    expect(response.statusCode).toBe(status);
    expect(response.json<Problem>().code + response.body).toMatch(says);
  });

  test.each(["x", "-1", "1.5", "1;drop", "9".repeat(40)])("Last-Event-ID: %s", async (id) => {
    expect((await get("", { accept: "text/event-stream", "last-event-id": id })).statusCode).toBe(400);
  });
});

test("a server that stops ends its streams in order, and what comes back goes on", async () => {
  const start = await size();
  const consumer = await listen(stream.url);
  await fill(stream, [2]);
  await vi.waitFor(() => expect(consumer.events).toHaveLength(2), patient);
  stream.stopStreams();
  await consumer.ended;
  expect(consumer.events.map(sequenceOf)).toEqual([start, start + 1]);
});
