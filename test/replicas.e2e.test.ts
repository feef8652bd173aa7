import { join } from "node:path";
import type { HaltView, IssuedSecret, LedgerVerdict, LoginLink, StartedSession } from "@remit/contract";
import { openTestDatabase } from "@remit/server/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { effectsRegistry } from "./effects-registry.testing.ts";
import type { Effects } from "./effects.testing.ts";
import { openEffects } from "./effects.testing.ts";
import type { Replica, Replicas } from "./replicas.testing.ts";
import { openReplicas, until } from "./replicas.testing.ts";

type Approvals = { items: { id: string; digest: string }[] };

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
    expect(calls.map((call) => call?.code ?? call?.outcome)).toEqual(calls.map(() => "succeeded"));
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
  test("[RUN-17] voted on by one, executed by whichever comes first, once", async () => {
    const ben = await replicas.person("ben");
    const waiting = await Promise.all(replicas.all.map((replica) => replicas.call(replica, "three", "mail", { key: "one-mail" })));
    expect(waiting.map((call) => call?.outcome)).toEqual(["waiting", "waiting", "waiting"]);
    expect(new Set(waiting.map((call) => call?.actionId)).size).toBe(1);
    const { items } = await replicas.ask<Approvals>(b, "/v1/approvals?state=pending", undefined, ben);
    const [{ id, digest } = { id: "", digest: "" }] = items;
    await Promise.all(
      replicas.all.map((replica) => replicas.ask(replica, `/v1/approvals/${id}/votes`, { vote: "approve", digest }, ben).catch(() => null)),
    );
    await until("it is done", async () => (await replicas.call(a, "three", "mail", { key: "one-mail" }))?.outcome === "succeeded");
    expect(effects.done().filter(({ key }) => key === "one-mail")).toHaveLength(1);
  });

  describe("a call that waits for a person, of a client of the stateless revision", () => {
    const opensUrls = { elicitation: { url: {} } };
    const followsTasks = { extensions: { "io.modelcontextprotocol/tasks": {} } };

    /** One request of 2026-07-28. */
    async function send(replica: Replica, agent: string, method: string, params: Record<string, unknown>, capabilities: object) {
      const _meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": capabilities,
      };
      const headers = {
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": method,
        "mcp-name": String(params["name"] ?? params["taskId"]),
      };
      return (await replicas.rpc(replica, await replicas.agentToken(agent, replica), { method, params: { ...params, _meta } }, headers))
        .json;
    }
    const mail = (key: string) => ({ name: "effects__mail", arguments: { key } });

    async function approve(replica: Replica, key: string): Promise<void> {
      const ben = await replicas.person("ben");
      const { items } = await replicas.ask<Approvals>(replica, "/v1/approvals?state=pending", undefined, ben);
      expect(items, key).toHaveLength(1);
      const [{ id, digest } = { id: "", digest: "" }] = items;
      await replicas.ask(replica, `/v1/approvals/${id}/votes`, { vote: "approve", digest }, ben);
    }

    test("[CTL-26][CTL-39] carries its state to any server, which takes it once for all of them", async () => {
      const [, , c] = replicas.all as [Replica, Replica, Replica];
      const asked = await send(a, "three", "tools/call", mail("by-state"), opensUrls);
      expect(asked.result).toMatchObject({ resultType: "input_required", requestState: expect.any(String) as string });
      const { requestState, inputRequests } = asked.result as { requestState: string; inputRequests: object };
      const inputResponses = Object.fromEntries(Object.keys(inputRequests).map((name) => [name, { action: "accept" }]));
      const retry = (replica: Replica, agent = "three") =>
        send(replica, agent, "tools/call", { ...mail("by-state"), requestState, inputResponses }, opensUrls);
      expect((await retry(b, "two")).error).toMatchObject({ code: -32602 });
      await approve(c, "by-state");
      const answers = await Promise.all(replicas.all.map((replica) => retry(replica)));
      expect(answers.filter(({ error }) => error?.code === -32602)).toHaveLength(2);
      expect(answers.filter(({ result }) => result !== undefined)).toHaveLength(1);
      await until("it is done", () => effects.done().some(({ key }) => key === "by-state"));
      for (const replica of replicas.all) expect((await retry(replica)).error).toMatchObject({ code: -32602 });
      expect(effects.done().filter(({ key }) => key === "by-state")).toHaveLength(1);
    });

    test("[CTL-26][CTL-39] follows its task at any server, and withdraws it at any", async () => {
      const made = await send(a, "three", "tools/call", mail("by-task"), followsTasks);
      const { taskId } = made.result as { taskId: string };
      const get = (replica: Replica, id = taskId, agent = "three") => send(replica, agent, "tasks/get", { taskId: id }, followsTasks);
      for (const replica of replicas.all) expect((await get(replica)).result).toMatchObject({ status: "working" });
      expect((await get(b, taskId, "two")).error).toMatchObject({ code: -32602, message: "Unknown task" });
      await approve(b, "by-task");
      for (const replica of replicas.all)
        await until(`${replica.name} says that it is done`, async () => (await get(replica)).result?.["status"] === "completed");
      expect(effects.done().filter(({ key }) => key === "by-task")).toHaveLength(1);

      const second = (await send(b, "three", "tools/call", mail("withdrawn"), followsTasks)).result as { taskId: string };
      expect((await send(a, "three", "tasks/cancel", { taskId: second.taskId }, followsTasks)).result).toMatchObject({
        resultType: "complete",
      });
      for (const replica of replicas.all) expect((await get(replica, second.taskId)).result).toMatchObject({ status: "cancelled" });
      expect(effects.done().some(({ key }) => key === "withdrawn")).toBe(false);
    });
  });

  test("a key is one action, wherever it is repeated", async () => {
    const calls = await Promise.all(replicas.all.map((replica) => replicas.call(replica, "one", "note", { key: "keyed" }, "the-key")));
    expect(new Set(calls.map((call) => call?.actionId)).size).toBe(1);
    expect(effects.done().filter(({ key }) => key === "keyed")).toHaveLength(1);
  });

  test("a login link is used once, also when it is used on all at once", async () => {
    const { url } = await replicas.ask<LoginLink>(a, "/v1/links", { party: "cleo" }, await replicas.machine(a));
    const used = await Promise.allSettled(replicas.all.map((replica) => replicas.ask(replica, "/v1/sessions", { link: url }, "")));
    expect(used.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });

  test("a session that ends on one has ended on all", async () => {
    const { url } = await replicas.ask<LoginLink>(a, "/v1/links", { party: "cleo" }, await replicas.machine(a));
    const { token } = await replicas.ask<StartedSession>(b, "/v1/sessions", { link: url }, "");
    await replicas.ask(a, "/v1/me", undefined, `Bearer ${token}`);
    await fetch(`${a.url}/v1/sessions/current`, { method: "DELETE", headers: { authorization: `Bearer ${token}` } });
    await expect(replicas.ask(b, "/v1/me", undefined, `Bearer ${token}`)).rejects.toThrow("401");
  });

  test("a session of MCP's handshake belongs to one; another answers 404, and the client shakes hands again", async () => {
    const token = await replicas.agentToken("one", a);
    const hello = {
      method: "initialize",
      params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "1" } },
    };
    const session = async (replica: Replica): Promise<string> =>
      (await replicas.rpc(replica, token, hello)).headers.get("mcp-session-id") ?? "";
    const listed = async (replica: Replica, id: string): Promise<number> =>
      (await replicas.rpc(replica, token, { method: "tools/list" }, { "mcp-session-id": id, "mcp-protocol-version": "2025-11-25" })).status;
    const first = await session(a);
    expect(await listed(a, first)).toBe(200);
    expect(await listed(b, first)).toBe(404);
    expect(await listed(b, await session(b))).toBe(200);
  });

  test("[SAF-01][RUN-29] a halt given to one stops all: what is in flight is cancelled, nothing begins, and each has said so", async () => {
    const ben = await replicas.person("ben");
    const holding = replicas.all.map((replica) => replicas.call(replica, "one", "hold", { key: `held-by-${replica.name}` }));
    await until("each holds a call", () => effects.held().length === 3);
    const halt = await replicas.ask<HaltView>(
      b,
      "/v1/halts",
      { mode: "halt", scope: { type: "agent", name: "one" }, reason: "a drill" },
      ben,
    );
    const stopped = await Promise.all(holding);
    expect(stopped.map((call) => call?.code)).toEqual(["halted", "halted", "halted"]);
    await until("the upstream was told", () => effects.held().every(({ abandoned }) => abandoned));
    const after = await Promise.all(replicas.all.map((replica) => replicas.call(replica, "one", "note", { key: "after the halt" })));
    expect(after.map((call) => call?.code)).toEqual(["halted", "halted", "halted"]);
    expect(effects.done().some(({ key }) => key === "after the halt")).toBe(false);
    // A machine that has better things to do may make one late with saying so.
    const reach = await until("all have confirmed", async () => {
      const { items } = await replicas.ask<{ items: HaltView[] }>(a, "/v1/halts", undefined, ben);
      const found = items.find(({ id }) => id === halt.id)?.reach;
      return found?.confirmed === 3 && found;
    });
    expect(reach).toEqual({
      servers: 3,
      confirmed: 3,
      missing: [],
      confirmedMs: expect.any(Number),
      lastStartMs: expect.any(Number),
      cancelled: 3,
    });
    expect(await replicas.call(a, "three", "note", { key: "not halted" })).toMatchObject({ outcome: "succeeded" });
  });

  test("a token of a secret that is taken back on one is refused on all", async () => {
    const secret = await replicas.ask<IssuedSecret>(a, "/v1/agents/two/secrets", {}, await replicas.machine(a));
    const token = await replicas.tokenOf(secret, b);
    const listing = async (replica: Replica): Promise<number> => (await replicas.rpc(replica, token, { method: "tools/list" })).status;
    expect(await Promise.all(replicas.all.map(listing))).toEqual([200, 200, 200]);
    const authorization = await replicas.machine(b);
    await fetch(`${b.url}/v1/agents/two/secrets/${secret.id}`, { method: "DELETE", headers: { authorization } });
    await until("all refuse it", async () => (await Promise.all(replicas.all.map(listing))).every((status) => status === 401));
  });

  test("[SAF-21] the ledger that they write together is one, without a gap", async () => {
    const whole = await until("everything has its place", async () => {
      const found = await verdict();
      return found.pending === 0 && found;
    });
    expect(whole).toMatchObject({ ok: true, problems: [] });
  });
});
