import type { ActionOutcome, Caller } from "@remit/contract";
import { RemitError } from "@remit/contract";
import { expect, test } from "vitest";
import { done, everythingGranted, openTestActionPath, terminalEntries } from "./action-path.testing.ts";
import type { TestActionPath, TestServer } from "./action-path.testing.ts";

const cap = (params: object, tool = "refund.create"): string => `${everythingGranted}
@id("cap") @obligation("cap") @params("${JSON.stringify(params).replaceAll('"', '\\"')}")
permit (principal, action == Remit::Action::"helpdesk__${tool}", resource);`;

const refund = (amountCents: number) => ({ amountCents, currency: "EUR" });

/** 64 calls at once, turn by turn on these servers. */
function race(servers: TestServer[], call: (server: TestServer, index: number) => Promise<ActionOutcome>): Promise<ActionOutcome[]> {
  return Promise.all(
    Array.from({ length: 64 }, (_, index) => {
      const server = servers[index % servers.length];
      if (server === undefined) throw new Error("there is a server");
      return call(server, index);
    }),
  );
}

async function serversOf(remit: TestActionPath, count: number): Promise<TestServer[]> {
  return count === 1 ? [remit] : [remit, await remit.another()];
}

const succeeded = (outcomes: ActionOutcome[]): ActionOutcome[] => outcomes.filter(({ type }) => type === "succeeded");
const codes = (outcomes: ActionOutcome[]): Set<string> => new Set(outcomes.flatMap((outcome) => ("code" in outcome ? [outcome.code] : [])));

test.each([1, 2])("[CST-09][CTL-29] 64 callers at once never overspend one budget of the day, on %i server(s)", async (count) => {
  await using remit = await openTestActionPath({ policy: cap({ counts: "amount", limit: 1_000, per: "day", scope: "agent" }) });
  const servers = await serversOf(remit, count);
  const outcomes = await race(servers, (server, index) => server.act("refund.create", refund(90 + index)));
  const spent = remit.upstream.calls.reduce((sum, { arguments: args }) => sum + Number(args["amountCents"]), 0);
  expect(spent).toBeLessThanOrEqual(1_000);
  expect(succeeded(outcomes)).toHaveLength(remit.upstream.calls.length);
  expect(remit.upstream.calls.length).toBeGreaterThan(5);
  expect(codes(outcomes)).toEqual(new Set(["budget-exceeded"]));
  expect(await remit.windows()).toEqual([{ key: "cap/cap/agent/support-agent/2026-11-21", spent, reserved: 0 }]);
  expect([...terminalEntries(await remit.entries()).values()].map(({ length }) => length)).toEqual(Array.from({ length: 64 }, () => 1));
});

test.each([1, 2])("[CST-09][CTL-29] 64 callers at once meet one rate, on %i server(s)", async (count) => {
  await using remit = await openTestActionPath({
    policy: cap({ counts: "actions", limit: 7, per: "minute", scope: "tool" }, "tickets.read"),
  });
  const servers = await serversOf(remit, count);
  const outcomes = await race(servers, (server, index) => server.act("tickets.read", { id: String(index) }));
  expect(succeeded(outcomes)).toHaveLength(7);
  expect(remit.upstream.calls).toHaveLength(7);
  expect(codes(outcomes)).toEqual(new Set(["rate-exceeded"]));
});

test.each([1, 2])(
  "[CTL-29][AUD-06] 64 callers at once see each other's amounts where a policy reads them, on %i server(s)",
  async (count) => {
    const policy = `${everythingGranted}
@id("stop.daily") forbid (principal, action == Remit::Action::"helpdesk__refund.create", resource)
when { context.facts.amountToday + context.input.amountCents > 1000 };
@id("cap") @obligation("cap") @params("{\\"counts\\":\\"actions\\",\\"limit\\":1000,\\"per\\":\\"day\\"}") permit (principal, action, resource);`;
    await using remit = await openTestActionPath({ policy });
    const servers = await serversOf(remit, count);
    const outcomes = await race(servers, (server) => server.act("refund.create", refund(300)));
    expect(succeeded(outcomes)).toHaveLength(3);
    expect(remit.upstream.calls).toHaveLength(3);
    expect(codes(outcomes)).toEqual(new Set(["policy-stop"]));
    // Each decision is recorded with what it was made from.
    const made = (await remit.entries()).flatMap(({ type, data }) =>
      type === "action-intended" || type === "action-denied" ? [[type, data["facts"]] as const] : [],
    );
    expect(made).toEqual([
      ...[0, 300, 600].map((amountToday) => ["action-intended", expect.objectContaining({ amountToday, date: "2026-11-21" })]),
      ...Array.from({ length: 61 }, () => ["action-denied", expect.objectContaining({ amountToday: 900 })]),
    ]);
  },
);

test.each([1, 2])("[CTL-29] 64 callers at once do not exceed a run's actions, on %i server(s)", async (count) => {
  await using remit = await openTestActionPath();
  const caller: Caller = await remit.run({ maxActions: 5 });
  const outcomes = await race(await serversOf(remit, count), (server, index) =>
    server.act("tickets.read", { id: String(index) }, { caller }),
  );
  expect(succeeded(outcomes)).toHaveLength(5);
  expect(remit.upstream.calls).toHaveLength(5);
  expect(codes(outcomes)).toEqual(new Set(["run-limit-reached"]));
});

test.each([1, 2])(
  "[RUN-13][RUN-18][SAF-21] 64 calls at once with one idempotency key execute once and are all told of it, on %i server(s)",
  async (count) => {
    // Budget and run allow one action: who attaches takes nothing from them.
    await using remit = await openTestActionPath({ policy: cap({ counts: "amount", limit: 500, per: "day", scope: "agent" }) });
    const caller: Caller = await remit.run({ maxActions: 1 });
    const servers = await serversOf(remit, count);
    const outcomes = await race(servers, (server) => server.act("refund.create", refund(500), { caller, idempotencyKey: "refund-1042" }));
    expect(remit.upstream.calls).toHaveLength(1);
    expect(new Set(outcomes.map(({ type, actionId }) => `${type} ${actionId}`)).size).toBe(1);
    expect(outcomes[0]?.type).toBe("succeeded");
  },
);

test("[RUN-18][SAF-21] an idempotency key that is used for another call is refused and recorded, and the first is not touched", async () => {
  await using remit = await openTestActionPath({ policy: everythingGranted });
  const [first, other] = await Promise.all([
    remit.act("refund.create", refund(1), { idempotencyKey: "k" }),
    remit.act("refund.create", refund(2), { idempotencyKey: "k" }),
  ]);
  expect(first?.type).toBe("succeeded");
  expect(other).toMatchObject({ type: "denied", code: "conflict" });
  expect(other?.actionId).not.toBe(first?.actionId);
  const again = await remit.act("tickets.read", { id: "1" }, { idempotencyKey: "k" });
  expect(again).toMatchObject({ type: "denied", code: "conflict" });
  expect((await remit.actions()).map(({ state, code }) => [state, code])).toEqual([
    ["succeeded", null],
    ["denied", "conflict"],
    ["denied", "conflict"],
  ]);
});

test("[CTL-29] what was reserved is given back where it is certain that nothing was moved, and kept where it is not", async () => {
  await using remit = await openTestActionPath({ policy: cap({ counts: "amount", limit: 100, per: "day", scope: "agent" }) });
  const answers: (typeof remit.upstream.answer)[] = [
    () => Promise.reject(new RemitError("upstream-unavailable", "it is down; nothing was sent")),
    () => ({ content: [{ type: "text", text: "no such order" }], isError: true }),
    () => Promise.reject(new RemitError("upstream-timeout", "no answer")),
  ];
  for (const [index, answer] of answers.entries()) {
    remit.upstream.answer = answer;
    expect((await remit.act("refund.create", refund(90))).type).toBe("failed");
    expect(await remit.windows()).toMatchObject([{ spent: index === 2 ? 90 : 0, reserved: 0 }]);
  }
  remit.upstream.answer = () => done;
  expect(await remit.act("refund.create", refund(90))).toMatchObject({ type: "denied", code: "budget-exceeded" });
  expect((await remit.act("refund.create", refund(10))).type).toBe("succeeded");
});

test("[CTL-29] a clock that jumps back a day, and forth, opens no window again that was used up", async () => {
  await using remit = await openTestActionPath({ policy: cap({ counts: "amount", limit: 100, per: "day", scope: "agent" }) });
  const day = 24 * 3_600_000;
  const types: string[] = [];
  for (const jump of [0, 0, -day, 0, day, 0]) {
    remit.clock.now += jump;
    types.push((await remit.act("refund.create", refund(100))).type);
  }
  expect(types).toEqual(["succeeded", "denied", "succeeded", "denied", "denied", "denied"]);
  await remit.sequencer.flushed();
});

test("[CTL-37] a cap of amounts on a tool without an amount cannot be kept, so the call is denied", async () => {
  await using remit = await openTestActionPath({
    policy: cap({ counts: "amount", limit: 100, per: "day", scope: "agent" }, "tickets.read"),
  });
  expect(await remit.act("tickets.read", { id: "1" })).toMatchObject({ type: "denied", code: "obligation-unsupported" });
});

test("windows of days that are over are forgotten, but not what an action in flight has reserved in", async () => {
  await using remit = await openTestActionPath({ policy: cap({ counts: "amount", limit: 100, per: "day", scope: "agent" }) });
  await remit.act("refund.create", refund(10));
  await remit.superuser.query(
    `INSERT INTO budget_window (key, spent, reserved, opened_at) VALUES ('old', 5, 0, now() - interval '4 days'), ('used', 5, 5, now() - interval '4 days')`,
  );
  expect(await remit.deps.journal.forgetWindows()).toBe(1);
  expect((await remit.windows()).map(({ key }) => key)).toEqual(["cap/cap/agent/support-agent/2026-11-21", "used"]);
});
