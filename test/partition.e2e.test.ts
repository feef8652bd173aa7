import { join } from "node:path";
import type { HaltView, LedgerVerdict } from "@remit/contract";
import { openTestDatabase } from "@remit/server/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { effectsRegistry } from "./effects-registry.testing.ts";
import type { Effects } from "./effects.testing.ts";
import { openEffects } from "./effects.testing.ts";
import type { Replica, Replicas } from "./replicas.testing.ts";
import { openReplicas, until } from "./replicas.testing.ts";

let database: Awaited<ReturnType<typeof openTestDatabase>>;
let replicas: Replicas;
let effects: Effects;
let a: Replica;
let b: Replica;
let ben: string;

beforeAll(async () => {
  database = await openTestDatabase();
  replicas = await openReplicas({ count: 2, databaseUrl: database.url, lines: true });
  effects = await openEffects(join(replicas.folder, "effects.log"));
  await replicas.startAll();
  [a, b] = replicas.all as [Replica, Replica];
  await replicas.apply(effectsRegistry({ url: effects.url, agents: ["one", "two", "three", "four"], capPerDay: 100, perMinute: 1_000 }));
  ben = await replicas.person("ben", a);
  // Both know both agents' tokens before anything is cut.
  for (const agent of ["one", "two", "three", "four"]) await replicas.agentToken(agent, a);
}, 240_000);

afterAll(async () => {
  await effects[Symbol.asyncDispose]();
  await replicas[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

const halt = (replica: Replica, agent: string) =>
  replicas.ask<HaltView>(replica, "/v1/halts", { mode: "halt", scope: { type: "agent", name: agent }, reason: "a drill" }, ben);

const haltSeen = async (on: Replica, id: string): Promise<HaltView | undefined> =>
  (await replicas.ask<{ items: HaltView[] }>(on, "/v1/halts", undefined, ben)).items.find((each) => each.id === id);

const done = (key: string): number => effects.done().filter((effect) => effect.key === key).length;

/** The replica that gives the ledger its order, and under which epoch. */
async function orderedBy(): Promise<{ holder: Replica; other: Replica; epoch: number }> {
  return until("somebody gives the order", async () => {
    const [row] = await database.superuser.query<{ name: string; epoch: string }>(
      `SELECT s.name, q.epoch FROM ledger_sequencer q JOIN server_instance s ON s.id::text = q.holder
       WHERE q.expires_at > clock_timestamp() AND s.heartbeat_at > clock_timestamp() - interval '3 seconds'`,
    );
    if (row === undefined) return null;
    const isA = row.name.endsWith(`:${new URL(a.url).port}`);
    return { holder: isA ? a : b, other: isA ? b : a, epoch: Number(row.epoch) };
  });
}

test("[RUN-29] without notices a halt still reaches a server, by its looking", async () => {
  expect(await replicas.call(b, "one", "note", { key: "before" })).toMatchObject({ outcome: "succeeded" });
  expect(b.line?.cut("LISTEN")).toBe(1);
  const { id } = await halt(a, "one");
  await until("it has confirmed", async () => (await haltSeen(a, id))?.reach?.confirmed === 2);
  expect(await replicas.call(b, "one", "note", { key: "after" })).toMatchObject({ code: "halted" });
  expect(done("after")).toBe(0);
});

test("[RUN-29][SAF-01] a server that is cut off from the database lets nothing happen, and a halt says that it has not confirmed", async () => {
  expect(await replicas.call(b, "two", "note", { key: "connected" })).toMatchObject({ outcome: "succeeded" });
  b.line?.pause();
  // It knows by itself that it does not know: without being told of anything.
  const call = { method: "tools/call", params: { name: "effects__note", arguments: { key: "cut off" } } };
  const token = await replicas.agentToken("two", a);
  const refused = await until("it refuses", async () => {
    // What was on its way when the line fell silent is not answered for a while.
    const called = await replicas.rpc(b, token, call, {}, AbortSignal.timeout(10_000)).catch(() => null);
    return called?.json.error?.message.includes("control state") === true && called;
  });
  expect(refused.status).toBe(503);
  const executed = done("cut off");
  const { id } = await halt(a, "two");
  const [live] = await database.superuser.query<{ count: string }>(
    "SELECT count(*) FROM server_instance WHERE heartbeat_at > clock_timestamp() - interval '5 seconds'",
  );
  // Alive by its last word, or no longer counted among the living: in either case it is not said to have confirmed.
  const reach = (await haltSeen(a, id))?.reach;
  expect(reach?.confirmed).toBe(1);
  expect(Number(live?.count)).toBeLessThanOrEqual(2);
  expect((await fetch(`${b.url}/readyz`)).status).toBe(503);
  b.line?.resume();
  await until("it has confirmed", async () => (await haltSeen(a, id))?.reach?.confirmed === 2);
  await until("it takes calls again", async () => (await replicas.call(b, "three", "note", { key: "again" }))?.outcome === "succeeded");
  expect(await replicas.call(b, "two", "note", { key: "halted there too" })).toMatchObject({ code: "halted" });
  expect(done("cut off")).toBe(executed);
});

test("[RUN-29] a paused holder of the order is replaced, and writes nothing when it wakes", async () => {
  const before = await orderedBy();
  before.holder.pause();
  const taken = await until("the other gives the order", async () => {
    const [row] = await database.superuser.query<{ epoch: string; name: string | null }>(
      "SELECT q.epoch, s.name FROM ledger_sequencer q LEFT JOIN server_instance s ON s.id::text = q.holder",
    );
    return Number(row?.epoch) > before.epoch && row?.name?.endsWith(`:${new URL(before.other.url).port}`) === true && Number(row.epoch);
  });
  expect(await replicas.call(before.other, "three", "note", { key: "while it slept" })).toMatchObject({ outcome: "succeeded" });
  before.holder.resume();
  await until("it is awake", async () => (await replicas.call(before.holder, "three", "note", { key: "awake" }))?.outcome === "succeeded");
  const [row] = await database.superuser.query<{ epoch: string }>("SELECT epoch FROM ledger_sequencer");
  expect(Number(row?.epoch)).toBeGreaterThanOrEqual(taken);
  const verdict = await until("everything has its place", async () => {
    const found = await replicas.ask<LedgerVerdict>(before.other, "/v1/audit/verify", undefined, await replicas.person("ada", a));
    return found.pending === 0 && found;
  });
  expect(verdict).toMatchObject({ ok: true, problems: [] });
});

test("[RUN-17][RUN-29] what a killed server had in flight ends as unknown, by another, and somebody is told", async () => {
  const { holder, other, epoch } = await orderedBy();
  const calling = replicas.call(holder, "four", "hold", { key: "left behind" });
  await until("it is in flight", () => effects.held().some(({ key }) => key === "left behind"));
  await holder.kill();
  expect(await calling).toBeNull();
  const [action] = await until("another has ended it", async () => {
    const rows = await database.superuser.query<{ id: string }>("SELECT id FROM action WHERE state = 'unknown' AND agent = 'four'");
    return rows.length === 1 && rows;
  });
  const told = await database.superuser.query<{ type: string; urgent: boolean }>(
    `SELECT type, convert_from(body, 'UTF8') LIKE '%"urgent":true%' AS urgent FROM ledger_entry WHERE action_id = $1 ORDER BY type`,
    [action?.id],
  );
  expect(told).toEqual([
    { type: "action-intended", urgent: false },
    { type: "action-unknown", urgent: false },
    { type: "notification-recorded", urgent: true },
  ]);
  await until("the other gives the order", async () => {
    const found = await orderedBy();
    return found.epoch > epoch && found.holder === other;
  });
  await holder.start();
  expect(await replicas.call(holder, "four", "note", { key: "back" })).toMatchObject({ outcome: "succeeded" });
});
