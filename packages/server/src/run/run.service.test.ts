import type { Id } from "@remit/contract";
import { buildRegistry } from "@remit/core/testing";
import { describe, expect, test } from "vitest";
import type { InFlight } from "../action/in-flight.ts";
import { newId } from "../id/new-id.ts";
import { openTestRuns, operator, startOf } from "./run.testing.ts";

const minute = 60_000;
const id = (run: { id: string }): Id<"run"> => run.id as Id<"run">;

describe("starting", () => {
  test("[DAT-14] what an agent is given lies sealed; once it is erased, no run begins with less than the whole of it", async () => {
    await using test = await openTestRuns();
    const item = await test.enqueue("T-1");
    const [row] = await test.superuser.query<{ payload: unknown }>("SELECT payload FROM queue_item");
    expect(row?.payload).toEqual({});
    await test.superuser.query("DELETE FROM payload_key WHERE subject = 'queue:billing-tier1'");
    await expect(test.start()).rejects.toMatchObject({ code: "not-found" });
    expect(await test.item(item)).toMatchObject({ state: "ready", attempts: 1 });
    const [ended] = await test.entries("run-ended");
    expect(ended?.data).toMatchObject({ state: "failed" });
  });

  test("[CTL-14][RUN-01][RUN-27] claims the oldest item and gives the agent what it needs, with one entry for each change", async () => {
    await using test = await openTestRuns();
    const oldest = await test.enqueue("T-1");
    test.later(5);
    await test.enqueue("T-2");
    const trace = "0af7651916cd43dd8448eb211c80319c";
    const started = await test.start({ traceparent: `00-${trace}-b7ad6b7169203331-01`, serviceName: "triage-nightly", maxActions: 3 });
    expect(started).toMatchObject({
      run: { state: "running", subject: "T-1", queue: "billing-tier1", accountable: "ada", limits: { actions: 3 }, actions: {} },
      mcpUrl: "http://localhost:4680/mcp",
      agent: { command: ["node", "agent.ts"], cwd: null },
      item: { id: oldest, subject: "T-1", payload: { ticket: "T-1" }, attempt: 1 },
    });
    const caller = await test.identity.callers.verify(started.token, started.mcpUrl);
    expect(caller).toMatchObject({
      agent: "support-agent",
      environment: "staging",
      policy: "customer_support_tier1_v3",
      run: { id: started.run.id, subject: "T-1", maxActions: 3, approvers: "support-lead", serviceName: "triage-nightly" },
    });
    expect(await test.item(oldest)).toEqual({ state: "claimed", attempts: 1, runId: started.run.id });
    const entries = await test.entries("run-started", "item-claimed");
    expect(entries.map(({ type, actor, runId }) => ({ type, actor, runId }))).toEqual(
      expect.arrayContaining([
        { type: "run-started", actor: operator, runId: started.run.id },
        { type: "item-claimed", actor: operator, runId: started.run.id },
      ]),
    );
    expect(entries).toHaveLength(2);
    for (const { body } of entries) expect(JSON.parse(body)).toMatchObject({ traceid: trace });
  });

  test("[RUN-27] an empty queue starts nothing and writes nothing", async () => {
    await using test = await openTestRuns();
    expect(await test.runs.start(operator, startOf())).toEqual({ run: null, reason: "queue-empty" });
    expect(await test.entries()).toEqual([]);
    expect((await test.runs.list({ state: null, workflow: null, before: null, limit: 10 })).items).toEqual([]);
    const without = await test.start({ queue: null });
    expect(without).toMatchObject({ item: null, run: { queue: null, subject: null } });
  });

  test("[RUN-15][RUN-27] of 64 starts at once on 10 items ten get one each, and no two the same", async () => {
    await using test = await openTestRuns();
    const items = await Promise.all(Array.from({ length: 10 }, (_, index) => test.enqueue(`T-${index}`)));
    const servers = [test.runs, test.there];
    const started = await Promise.all(
      Array.from({ length: 64 }, (_, index) => (servers[index % 2] ?? test.runs).start(operator, startOf())),
    );
    const claimed = started.flatMap((one) => (one.run === null ? [] : [one.item?.id ?? ""]));
    expect(claimed.toSorted()).toEqual(items.toSorted());
    expect(await test.entries("item-claimed")).toHaveLength(10);
    expect(await test.entries("run-started")).toHaveLength(10);
  });

  test("a run whose agent is turned away at the last moment is over, and its work is free again", async () => {
    await using test = await openTestRuns();
    const item = await test.enqueue("T-1");
    await test.identity.revokeAgent("support-agent", "odd behaviour");
    await expect(test.start()).rejects.toMatchObject({ code: "token-revoked" });
    expect(await test.item(item)).toMatchObject({ state: "ready", attempts: 1 });
    expect((await test.entries("run-ended", "item-returned")).map(({ type }) => type).toSorted()).toEqual(["item-returned", "run-ended"]);
  });
});

describe("renewing", () => {
  test("[RUN-27] keeps the work for longer: the run's starter or its own token can, and nobody else", async () => {
    await using test = await openTestRuns();
    await test.enqueue("T-1");
    await test.enqueue("T-2");
    const [mine, other] = [await test.start(), await test.start()];
    test.later(4 * minute);
    const renewed = await test.runs.renew(id(mine.run), { type: "actor", actor: operator });
    expect(Date.parse(renewed.tokenExpiresAt)).toBeGreaterThan(Date.parse(mine.tokenExpiresAt));
    await test.runs.renew(id(mine.run), { type: "agent", token: mine.token });

    await expect(test.runs.renew(id(mine.run), { type: "agent", token: other.token })).rejects.toMatchObject({ code: "forbidden" });
    await expect(test.runs.renew(id(mine.run), { type: "actor", actor: "party:ada" })).rejects.toMatchObject({ code: "forbidden" });

    test.later(2 * minute);
    await test.runs.catchUp((error) => expect.unreachable(String(error)));
    expect([await test.runState(mine.run.id), await test.runState(other.run.id)]).toEqual(["running", "lost"]);
    await expect(test.runs.renew(id(other.run), { type: "actor", actor: operator })).rejects.toMatchObject({ code: "run-ended" });
  });

  test("a short lease is told to whoever renews, so that it is renewed in time", async () => {
    await using test = await openTestRuns(buildRegistry({ queues: [{ name: "billing-tier1", visibilityTimeout: "PT30S" }] }));
    await test.enqueue("T-1");
    const { run, tokenExpiresAt } = await test.start();
    expect(Date.parse(tokenExpiresAt) - Date.parse(run.startedAt)).toBe(30_000);
  });

  test("a run whose agent has changed since is not kept", async () => {
    await using test = await openTestRuns();
    const { run } = await test.start({ queue: null });
    await test.apply(buildRegistry({ agents: [{ name: "support-agent", version: "f".repeat(64) }] }));
    await expect(test.runs.renew(id(run), { type: "actor", actor: operator })).rejects.toMatchObject({ code: "token-revoked" });
  });
});

describe("ending", () => {
  test.each([
    ["completed", "completed", "item-completed"],
    ["failed", "ready", "item-returned"],
    ["cancelled", "ready", "item-returned"],
    ["stopped-at-limit", "ready", "item-returned"],
  ] as const)("[SAF-21] a run that is %s leaves its item %s", async (outcome, state, type) => {
    await using test = await openTestRuns();
    const item = await test.enqueue("T-1");
    const { run } = await test.start();
    const ended = await test.runs.end(id(run), operator, { outcome, reason: "because" });
    expect(ended).toMatchObject({ state: outcome, reason: "because" });
    expect(ended.endedAt).not.toBeNull();
    expect(await test.item(item)).toMatchObject({ state, runId: run.id });
    const entries = await test.entries("run-ended", "item-completed", "item-returned", "item-set-aside");
    expect(entries.map((entry) => entry.type).toSorted()).toEqual([type, "run-ended"]);
    expect(entries.find((entry) => entry.type === "run-ended")?.data).toMatchObject({ state: outcome, reason: "because" });
  });

  test("[RUN-13] twice in the same way is once; in another way it is a conflict; and once under a race", async () => {
    await using test = await openTestRuns();
    const { run } = await test.start({ queue: null });
    const end = (outcome: "completed" | "failed") => test.runs.end(id(run), operator, { outcome, reason: outcome });
    const ends = await Promise.allSettled(Array.from({ length: 16 }, (_, index) => end(index % 2 === 0 ? "completed" : "failed")));
    expect(ends.filter(({ status }) => status === "fulfilled")).toHaveLength(8);
    for (const one of ends) if (one.status === "rejected") expect(one.reason).toMatchObject({ code: "conflict" });
    expect(await test.entries("run-ended")).toHaveLength(1);
    await expect(test.runs.end("run_0" as Id<"run">, operator, { outcome: "failed", reason: "" })).rejects.toMatchObject({
      code: "not-found",
    });
  });

  test("[SAF-21] cancelling takes back the run's tokens, stops what it has in flight on every server and calls off what it asked", async () => {
    await using test = await openTestRuns();
    const { run, token, mcpUrl } = await test.start({ queue: null });
    const other = await test.start({ queue: null });
    const waiting = await test.act(run.id, "waiting");
    const subject = { environment: "staging", agent: "support-agent", tool: "send_email", upstream: "helpdesk", effect: "write" } as const;
    const fly = (inFlight: InFlight, run: string) => inFlight.enter(newId("action"), { ...subject, run }, new AbortController().signal);
    const [here, there] = [fly(test.inFlight, run.id), fly(test.inFlightThere, run.id)];
    const others = fly(test.inFlight, other.run.id);
    await test.runs.end(id(run), operator, { outcome: "cancelled", reason: "wrong queue" });
    await expect(test.identity.callers.verify(token, mcpUrl)).rejects.toMatchObject({ code: "token-revoked" });
    expect([here.stop(), there.stop(), others.stop()]).toMatchObject([{ state: "cancelled" }, { state: "cancelled" }, null]);
    expect([here.signal.aborted, there.signal.aborted, others.signal.aborted]).toEqual([true, true, false]);
    const actions = await test.runs.actions(id(run), { after: null, limit: 10 });
    expect(actions.items).toMatchObject([{ id: waiting, state: "cancelled" }]);
    expect(await test.entries("approval-cancelled")).toHaveLength(1);
  });

  test("what a completed run has asked people stays; what another run will ask again does not", async () => {
    await using test = await openTestRuns();
    await test.enqueue("T-1");
    const first = await test.start();
    await test.act(first.run.id, "waiting");
    await test.runs.end(id(first.run), operator, { outcome: "failed", reason: "crashed" });
    const second = await test.start();
    await test.act(second.run.id, "waiting");
    const ended = await test.runs.end(id(second.run), operator, { outcome: "completed", reason: "done" });
    expect(ended.actions).toEqual({ waiting: 1 });
    expect((await test.runs.get(id(first.run))).actions).toEqual({ cancelled: 1 });
  });

  test("[SAF-21] work that breaks every run that takes it is set aside", async () => {
    await using test = await openTestRuns(buildRegistry({ queues: [{ name: "billing-tier1", maxAttempts: 2 }] }));
    const item = await test.enqueue("T-1");
    for (const state of ["ready", "set-aside"]) {
      const { run } = await test.start();
      await test.runs.end(id(run), operator, { outcome: "failed", reason: "it broke" });
      expect(await test.item(item)).toMatchObject({ state });
    }
    expect((await test.entries("item-set-aside")).map(({ data }) => data)).toMatchObject([{ itemId: item, attempts: 2, maxAttempts: 2 }]);
    expect(await test.runs.start(operator, startOf())).toEqual({ run: null, reason: "queue-empty" });
  });

  test("a halt of a run stops it in the halt's own transaction, or not at all", async () => {
    await using test = await openTestRuns();
    const { run } = await test.start({ queue: null });
    await test.act(run.id, "waiting");
    const halt = (fail: boolean) =>
      test.database.transaction(async (transaction) => {
        const halted = await test.runs.haltRun(transaction, id(run), "it writes nonsense", "party:ada");
        if (fail) throw new Error("the halt itself failed");
        return halted;
      });
    await expect(halt(true)).rejects.toThrow("the halt itself failed");
    expect(await test.runState(run.id)).toBe("running");
    expect(await test.entries("run-ended")).toHaveLength(0);
    expect(await halt(false)).toBe(true);
    expect(await halt(false)).toBe(false);
    expect(await test.runs.get(id(run))).toMatchObject({ state: "halted", reason: "it writes nonsense", actions: { cancelled: 1 } });
    // The program that follows the run says that it was interrupted, and learns how the run really ended.
    await expect(test.runs.end(id(run), operator, { outcome: "cancelled", reason: "halted" })).rejects.toMatchObject({ code: "conflict" });
  });
});
