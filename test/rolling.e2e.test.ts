import { cp, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { migrationsFolder, openTestDatabase, startComposed } from "@remit/server/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { effectsRegistry } from "./effects-registry.testing.ts";
import type { Effects } from "./effects.testing.ts";
import { openEffects } from "./effects.testing.ts";
import type { Replica, Replicas } from "./replicas.testing.ts";
import { openReplicas, publicUrl, until } from "./replicas.testing.ts";

let database: Awaited<ReturnType<typeof openTestDatabase>>;
let replicas: Replicas;
let effects: Effects;
let a: Replica;
let b: Replica;

beforeAll(async () => {
  database = await openTestDatabase();
  replicas = await openReplicas({ count: 2, databaseUrl: database.url });
  effects = await openEffects(join(replicas.folder, "effects.log"));
  await replicas.startAll();
  [a, b] = replicas.all as [Replica, Replica];
  await replicas.apply(effectsRegistry({ url: effects.url, agents: ["one", "two"], capPerDay: 100_000, perMinute: 100_000 }));
  await replicas.agentToken("one", a);
}, 240_000);

afterAll(async () => {
  await effects[Symbol.asyncDispose]();
  await replicas[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

/** Calls again and again until told to stop; what came of each. */
function keepCalling(replica: () => Replica, prefix: string): { made(): number; stop(): Promise<string[]> } {
  const outcomes: string[] = [];
  const stopping = new AbortController();
  const calling = (async () => {
    for (let count = 0; !stopping.signal.aborted; count += 1) {
      const tool = count % 2 === 0 ? "note" : "pay";
      const called = await replicas.call(replica(), "one", tool, { key: `${prefix}-${count}`, ...(tool === "pay" ? { amount: 1 } : {}) });
      outcomes.push(called === null ? "not answered" : (called.code ?? called.outcome));
    }
  })();
  return {
    made: () => outcomes.length,
    async stop() {
      stopping.abort();
      await calling;
      return outcomes;
    },
  };
}

test("[RUN-29] a later version migrates and serves beside this one, and no call fails", async () => {
  // What a later version would bring: columns in the tables that every call writes, an index, a table of its own.
  const folder = join(replicas.folder, "sql");
  await cp(migrationsFolder, folder, { recursive: true });
  const later = `ALTER TABLE action ADD COLUMN later text;
    ALTER TABLE ledger_entry ADD COLUMN later text;
    ALTER TABLE ledger_pending ADD COLUMN later text;
    ALTER TABLE budget_window ADD COLUMN later bigint NOT NULL DEFAULT 0;
    ALTER TABLE server_instance ADD COLUMN later text;
    ALTER TABLE control_state ADD COLUMN later text;
    ALTER TABLE approval ADD COLUMN later text;
    CREATE INDEX action_later ON action (later) WHERE later IS NOT NULL;
    CREATE TABLE later (id text PRIMARY KEY);
    GRANT SELECT, INSERT ON later TO remit_app;`;
  await writeFile(join(folder, "999999-later.sql"), later);
  const calls = keepCalling(() => a, "beside");
  await until("calls go on", () => calls.made() > 5);

  const dataDir = join(replicas.folder, "later");
  await mkdir(dataDir, { mode: 0o700 });
  const upgraded = await startComposed(
    {
      dataDir,
      host: "127.0.0.1",
      port: 0,
      logLevel: "silent",
      databaseUrl: database.url,
      publicUrl,
      environment: { REMIT_MASTER_KEY: replicas.masterKey },
    },
    { migrations: () => folder },
  );
  try {
    const made = calls.made();
    await until("calls go on after it", () => calls.made() > made + 10);
    const there = { ...a, url: upgraded.localUrl, name: "later" };
    expect(await replicas.call(there, "one", "note", { key: "by the later version" })).toMatchObject({ outcome: "succeeded" });
    // The earlier one may be started again meanwhile: an upgrade that is rolled back leaves the schema where it is.
    await b.terminate();
    await b.start();
    expect(await replicas.call(b, "one", "note", { key: "by the earlier version" })).toMatchObject({ outcome: "succeeded" });
  } finally {
    await upgraded.stop();
  }
  expect([...new Set(await calls.stop())]).toEqual(["succeeded"]);
});

test("[SAF-21] a server that is asked to go says so first, finishes what it has, and leaves", async () => {
  const holding = replicas.callOnce(a, "two", "hold", { key: "held while leaving" });
  await until("it holds a call", () => effects.held().some(({ key }) => key === "held while leaving"));
  expect((await fetch(`${a.url}/readyz`)).status).toBe(200);
  const exited = a.terminate();
  const said = await until("it says that it goes", async () => {
    const response = await fetch(`${a.url}/readyz`);
    return response.status === 503 && ((await response.json()) as { checks: Record<string, string> });
  });
  expect(said.checks["stopping"]).toMatch(/takes no more/);
  expect((await fetch(`${a.url}/livez`)).status).toBe(200);
  const [row] = await database.superuser.query<{ draining: boolean }>("SELECT draining FROM server_instance WHERE name LIKE $1", [
    `%:${new URL(a.url).port}`,
  ]);
  expect(row?.draining).toBe(true);
  await until("it takes no more", async () => (await fetch(`${a.url}/v1/agents`)).status === 503);
  effects.releaseAll();
  expect(await holding).toMatchObject({ outcome: "succeeded" });
  expect(await exited).toBe(0);
  // It has left: nobody waits for it, and the order is another's at once.
  const left = await database.superuser.query("SELECT FROM server_instance WHERE name LIKE $1", [`%:${new URL(a.url).port}`]);
  expect(left).toHaveLength(0);
  expect(await replicas.call(b, "two", "note", { key: "by another" })).toMatchObject({ outcome: "succeeded" });
});
