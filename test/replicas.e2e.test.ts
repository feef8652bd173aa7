import { join } from "node:path";
import type { LedgerVerdict } from "@remit/contract";
import { openTestDatabase } from "@remit/server/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
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

beforeAll(async () => {
  database = await openTestDatabase();
  replicas = await openReplicas({ count: 3, databaseUrl: database.url });
  effects = await openEffects(join(replicas.folder, "effects.log"));
  // At once, on a database that none of them has seen: keys are made by one of them.
  await replicas.startAll();
  [a, b] = replicas.all as [Replica, Replica, Replica];
  const files = effectsRegistry({ url: effects.url, agents: ["one", "two", "three"], capPerDay: 100, perMinute: 1_000 });
  await replicas.apply(files);
}, 120_000);

afterAll(async () => {
  await effects[Symbol.asyncDispose]();
  await replicas[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

const verdict = async (): Promise<LedgerVerdict> => replicas.ask(b, "/v1/audit/verify", undefined, await replicas.person("ada", a));

describe("three servers on one database", () => {
  test("a token of one is good on all, and each call is carried out once", async () => {
    const calls = await Promise.all(
      Array.from({ length: 12 }, (_, index) => replicas.call(replicas.all[index % 3] ?? a, "one", "note", { key: `spread-${index}` })),
    );
    expect(calls.map((call) => call?.outcome)).toEqual(calls.map(() => "succeeded"));
    const keys = effects.done().map(({ key }) => key);
    expect(keys.filter((key) => key.startsWith("spread-")).sort()).toEqual(calls.map((_, index) => `spread-${index}`).sort());
  });

  test("[CTL-29] a budget holds for all of them together", async () => {
    const calls = await Promise.all(
      Array.from({ length: 60 }, (_, index) =>
        replicas.call(replicas.all[index % 3] ?? a, "two", "pay", { key: `pay-${index}`, amount: 3 }),
      ),
    );
    const paid = effects.done().filter(({ tool }) => tool === "pay");
    expect(paid.reduce((sum, { amount }) => sum + amount, 0)).toBe(99);
    expect(calls.filter((call) => call?.outcome === "succeeded")).toHaveLength(33);
    expect(calls.filter((call) => call?.code === "budget-exceeded")).toHaveLength(27);
  });
  test("[SAF-21] the ledger that they write together is one, without a gap", async () => {
    const whole = await until("everything has its place", async () => {
      const found = await verdict();
      return found.pending === 0 && found;
    });
    expect(whole).toMatchObject({ ok: true, problems: [] });
  });
});
