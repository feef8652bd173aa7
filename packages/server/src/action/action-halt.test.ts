import type { ActionOutcome, HaltScope } from "@remit/contract";
import { RemitError } from "@remit/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type TestActionPath, done, hang, openTestActionPath, terminalEntries } from "./action-path.testing.ts";

const mail = { to: "kim@example.com" };

/** Resolves once the upstream has been asked this often. */
async function asked(remit: TestActionPath, times: number): Promise<void> {
  while (remit.upstream.calls.length < times) await new Promise((resolve) => setTimeout(resolve, 5));
}

const scopes: [string, (run: string) => HaltScope][] = [
  ["everything", () => ({ type: "everything" })],
  ["the environment", () => ({ type: "environment", name: "staging" })],
  ["the agent", () => ({ type: "agent", name: "support-agent" })],
  ["the tool", () => ({ type: "tool", name: "helpdesk__tickets.read" })],
  ["the upstream", () => ({ type: "upstream", name: "helpdesk" })],
  ["the run", (run) => ({ type: "run", name: run as never })],
];

test.each(scopes)("[SAF-01] a halt of %s cancels what runs, on this server and on another, and lets nothing begin", async (_, scope) => {
  await using remit = await openTestActionPath();
  const other = await remit.another();
  remit.upstream.answer = hang;
  const caller = await remit.run();
  const flying = [remit, other].map((server) => server.act("tickets.read", { id: "1" }, { caller }));
  await asked(remit, 2);
  await remit.halts.engage(remit.person("ben"), { mode: "halt", scope: scope(caller.run.id), reason: "it sends nonsense" });
  await other.control.refresh();
  for (const outcome of await Promise.all(flying)) {
    expect(outcome).toMatchObject({ type: "failed", code: "halted" });
    expect(terminalEntries(await remit.entries()).get(outcome.actionId)).toEqual(["action-halted"]);
  }
  expect(remit.upstream.aborted).toHaveLength(2);
  for (const server of [remit, other]) {
    expect(await server.act("tickets.read", { id: "2" }, { caller })).toMatchObject({ type: "denied", code: "halted" });
    expect(server.path.list(caller).map(({ tool }) => tool.spec.name)).not.toContain("tickets.read");
  }
  expect(remit.upstream.calls).toHaveLength(2);
});

test("[SAF-01] a halt does not touch what it does not cover, and ends only when a second person says so", async () => {
  await using remit = await openTestActionPath();
  const halt = await remit.halts.engage(remit.person("ben"), {
    mode: "halt",
    scope: { type: "tool", name: "helpdesk__refund.create" },
    reason: "drill",
  });
  expect((await remit.act("tickets.read", { id: "1" })).type).toBe("succeeded");
  await remit.halts.release(halt.id, remit.person("ben"), "over");
  await expect(remit.halts.release(halt.id, remit.person("ben"), "over")).rejects.toMatchObject({ code: "forbidden" });
  expect(await remit.act("refund.create", { amountCents: 1, currency: "EUR" })).toMatchObject({ code: "halted" });
  await remit.halts.release(halt.id, remit.person("ada"), "over");
  expect((await remit.act("refund.create", { amountCents: 1, currency: "EUR" })).type).toBe("succeeded");
});

test("[SAF-02] safe mode stops what writes, also while it runs, and lets what reads go on", async () => {
  await using remit = await openTestActionPath();
  remit.upstream.answer = hang;
  const gone = new AbortController();
  const reading = remit.act("tickets.read", { id: "1" }, { signal: gone.signal });
  const writing = remit.act("refund.create", { amountCents: 1, currency: "EUR" });
  await asked(remit, 2);
  await remit.halts.engage(remit.person("ben"), { mode: "safe-mode", scope: { type: "everything" }, reason: "drill" });
  expect(await writing).toMatchObject({ type: "failed", code: "safe-mode" });
  expect(remit.upstream.aborted.map(({ tool }) => tool)).toEqual(["refund.create"]);
  remit.upstream.answer = () => done;
  expect(await remit.act("send_email", mail)).toMatchObject({ type: "denied", code: "safe-mode" });
  expect(await remit.act("tickets.draft_reply", { id: "1" })).toMatchObject({ type: "denied", code: "safe-mode" });
  expect((await remit.act("tickets.read", { id: "2" })).type).toBe("succeeded");
  expect(remit.path.list(remit.caller).map(({ tool }) => tool.spec.name)).toEqual(["tickets.read"]);
  // All that while the reading went on.
  gone.abort();
  expect(await reading).toMatchObject({ type: "failed", code: "cancelled" });
});

test("[SAF-01] a halt that comes between an intent and its execution stops it before anything is sent, and gives the amount back", async () => {
  await using remit = await openTestActionPath();
  const { journal } = remit.deps;
  remit.deps.journal = {
    ...journal,
    begin: async (begin) => {
      const begun = await journal.begin(begin);
      await remit.halts.engage(remit.person("ben"), { mode: "halt", scope: { type: "everything" }, reason: "drill" });
      return begun;
    },
  };
  const outcome = await remit.act("tickets.read", { id: "1" });
  expect(outcome).toMatchObject({ type: "failed", code: "halted", reason: expect.stringContaining("Nothing was sent") as string });
  expect(remit.upstream.calls).toEqual([]);
});

test("[AUD-14] a server that stops ends what runs, records it, begins nothing more, and leaves what was granted to the next", async () => {
  await using remit = await openTestActionPath();
  const other = await remit.another();
  remit.upstream.answer = hang;
  const flying = remit.act("tickets.read", { id: "1" });
  await asked(remit, 1);
  const waits = await remit.act("send_email", mail);
  await remit.vote(waits);
  remit.deps.inFlight.close();
  expect(await flying).toMatchObject({ type: "failed", code: "cancelled" });
  expect(await remit.act("tickets.read", { id: "2" })).toMatchObject({ type: "denied", code: "server-unavailable" });
  expect(await remit.path.executeGranted()).toBe(0);
  remit.upstream.answer = () => done;
  expect(await other.path.executeGranted()).toBe(1);
  expect([...terminalEntries(await remit.entries()).values()].map(({ length }) => length)).toEqual([1, 1, 1]);
});

const command = fc.oneof(
  fc.record({
    type: fc.constant("read" as const),
    id: fc.constantFrom("1", "2"),
    key: fc.option(fc.constantFrom("a", "b"), { nil: undefined }),
  }),
  fc.record({ type: fc.constant("mail" as const), to: fc.constantFrom("a@example.com", "b@example.com", "c@example.com") }),
  fc.record({ type: fc.constant("wrong" as const) }),
  fc.record({ type: fc.constant("vote" as const), which: fc.nat(), vote: fc.constantFrom("approve" as const, "deny" as const) }),
  fc.record({ type: fc.constant("execute" as const), server: fc.nat(1) }),
  fc.record({ type: fc.constant("halt" as const), tool: fc.constantFrom("helpdesk__send_email", "helpdesk__tickets.read") }),
  fc.record({ type: fc.constant("pass" as const), hours: fc.constantFrom(1, 5) }),
  fc.record({
    type: fc.constant("fail" as const),
    code: fc.constantFrom("upstream-unavailable" as const, "upstream-timeout" as const, null),
  }),
);

test("[CTL-01][AUD-01][SAF-21] whatever agents, people and upstreams do, every attempt has one end, and nothing runs twice or unintended", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: 5, maxLength: 25 }), async (commands) => {
      await using remit = await openTestActionPath();
      const servers = [remit, await remit.another()];
      const outcomes: ActionOutcome[] = [];
      for (const [index, one] of commands.entries()) {
        const server = servers[index % 2] ?? remit;
        switch (one.type) {
          case "read":
            outcomes.push(await server.act("tickets.read", { id: one.id }, one.key === undefined ? {} : { idempotencyKey: one.key }));
            break;
          case "mail":
            outcomes.push(...(await Promise.all(servers.map((each) => each.act("send_email", { to: one.to })))));
            break;
          case "wrong":
            outcomes.push(await server.act("tickets.read", { nonsense: 1 }));
            break;
          case "vote": {
            const waiting = outcomes.filter(({ type }) => type === "waiting");
            const chosen = waiting[one.which % Math.max(waiting.length, 1)];
            // It may have been decided already.
            if (chosen !== undefined) await remit.vote(chosen, one.vote).catch((error: unknown) => expect(RemitError.is(error)).toBe(true));
            break;
          }
          case "execute":
            await Promise.all(servers.map(({ path }) => path.executeGranted()));
            break;
          case "halt":
            await remit.halts.engage(remit.person("ben"), { mode: "halt", scope: { type: "tool", name: one.tool }, reason: "drill" });
            await Promise.all(servers.map(({ control }) => control.refresh()));
            break;
          case "pass":
            remit.clock.now += one.hours * 3_600_000;
            await remit.approvals.catchUp(() => undefined);
            break;
          case "fail":
            remit.upstream.answer =
              one.code === null ? () => done : () => Promise.reject(new RemitError(one.code ?? "internal", "it fails"));
            break;
        }
      }
      const entries = await remit.entries();
      const ends = terminalEntries(entries);
      const actions = await remit.actions();
      for (const { id, state } of actions) {
        expect(ends.get(id) ?? []).toEqual(state === "waiting" ? [] : [`action-${state}`]);
        const intents = entries.filter(({ actionId, type }) => actionId === id && type === "action-intended").length;
        const ran = state === "succeeded" || state === "failed";
        expect([id, intents]).toEqual([id, ran ? 1 : 0]);
      }
      expect(remit.upstream.calls).toHaveLength(entries.filter(({ type }) => type === "action-intended").length);
      const known = new Set(actions.map(({ id }) => id));
      for (const { actionId } of outcomes) expect(known).toContain(actionId);
    }),
    { numRuns: 8 },
  );
});
