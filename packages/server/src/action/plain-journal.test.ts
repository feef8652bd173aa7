import type { Caller, Id } from "@remit/contract";
import type { Draw } from "@remit/core";
import { expect, test } from "vitest";
import { newId } from "../id/new-id.ts";
import { openTestRuns } from "../run/run.testing.ts";
import type { TestRuns } from "../run/run.testing.ts";
import type { Begin, End } from "./action.journal.ts";
import { createPlainJournal } from "./plain-journal.postgres.ts";
import type { PlainJournal } from "./plain-journal.postgres.ts";

const instance = "00000000-0000-7000-8000-000000000001";

type Started = TestRuns & { plain: PlainJournal; caller: Caller; run: Id<"run">; written: () => Promise<object> };

async function open(maxActions = 20): Promise<Started & AsyncDisposable> {
  const test = await openTestRuns();
  const started = await test.start({ queue: null, maxActions });
  const caller = await test.identity.callers.verify(started.token, started.mcpUrl);
  const limits = { maxBatch: 16, maxWaiting: 1_000 };
  const plain = createPlainJournal({ ...test, instance, limits, onFull: () => new Error("full") });
  await test.superuser.query("INSERT INTO budget_window (key) VALUES ('cap/a'), ('cap/b')");
  const written = async (): Promise<object> => ({
    actions: await test.superuser.query("SELECT state FROM action ORDER BY place"),
    entries: await test.superuser.query("SELECT type FROM ledger_entry WHERE type LIKE 'action-%' ORDER BY type"),
    windows: await test.superuser.query("SELECT key, spent::int, reserved::int FROM budget_window ORDER BY key"),
    used: await test.superuser.query("SELECT actions_used FROM run"),
  });
  return { ...test, plain, caller, run: started.run.id as Id<"run">, written, [Symbol.asyncDispose]: () => test[Symbol.asyncDispose]() };
}

function draw(key: string, limit: number): Draw {
  return { key, amount: 1, limit, policy: "p", counts: "actions", per: "day" };
}

function begin(test: Started, more: { draws?: Draw[]; epoch?: number; attachKey?: string } = {}): Begin {
  const { caller, control } = test;
  const at = test.now();
  const id = newId("action");
  const entry = () => ({
    id: newId("entry"),
    type: "action-intended" as const,
    at: at.toISOString(),
    actor: `agent:${caller.agent}`,
    actionId: id,
    data: {},
  });
  const never = (): never => {
    throw new Error("it is allowed");
  };
  return {
    action: {
      id,
      digest: "d".repeat(64),
      caller,
      tool: "helpdesk__tickets.read",
      effect: "read",
      idempotencyKey: null,
      attachKey: more.attachKey ?? `digest/${id}`,
      argumentsEntry: newId("entry"),
      traceId: null,
      at,
    },
    epoch: more.epoch ?? control.epoch(),
    counted: null,
    amount: null,
    decide: () => ({ type: "allow", obligations: [], policies: [], shadow: [] }),
    draws: () => more.draws ?? [],
    entries: { intended: entry, denied: never, waiting: never },
    request: never,
    grant: null,
  };
}

function endOf(test: Started, actionId: Id<"action">): End {
  const entry = {
    id: newId("entry"),
    type: "action-succeeded" as const,
    at: test.now().toISOString(),
    actor: `agent:${test.caller.agent}`,
    data: {},
  };
  return { actionId, state: "succeeded", code: null, reason: null, entry, also: [], resultEntry: null, amountSpent: true };
}

test("[CTL-29][AUD-14] attempts and outcomes of one moment are one transaction; what was reserved is spent", async () => {
  await using test = await open();
  const caps = [draw("cap/a", 3), draw("cap/b", 10)];
  const first = begin(test, { draws: caps });
  expect(await test.plain.begin(first)).toMatchObject({ type: "intended" });
  const [begun, ended] = await Promise.all([
    test.plain.begin(begin(test, { draws: caps })),
    test.plain.finish(endOf(test, first.action.id), caps),
  ]);
  expect([begun, ended]).toMatchObject([{ type: "intended" }, true]);
  expect(await test.written()).toEqual({
    actions: [{ state: "succeeded" }, { state: "executing" }],
    entries: [{ type: "action-intended" }, { type: "action-intended" }, { type: "action-succeeded" }],
    windows: [
      { key: "cap/a", spent: 1, reserved: 1 },
      { key: "cap/b", spent: 1, reserved: 1 },
    ],
    used: [{ actions_used: 2 }],
  });
});

const unmet: [string, (test: Started) => Promise<Begin> | Begin][] = [
  ["the control state has changed", (test) => begin(test, { epoch: test.control.epoch() - 1 })],
  ["a cap would be exceeded", (test) => begin(test, { draws: [draw("cap/a", 0)] })],
  ["one cap of two would be exceeded", (test) => begin(test, { draws: [draw("cap/b", 9), draw("cap/a", 0)] })],
  ["a window is new", (test) => begin(test, { draws: [draw("cap/new", 9)] })],
  [
    "an equal call waits",
    async (test) => {
      const first = begin(test);
      await test.plain.begin(first);
      await test.superuser.query("UPDATE action SET attach_key = 'digest/same', state = 'waiting' WHERE id = $1", [first.action.id]);
      return begin(test, { attachKey: "digest/same" });
    },
  ],
  [
    "the run has ended",
    async (test) => {
      await test.superuser.query("UPDATE run SET state = 'cancelled', ended_at = now()");
      return begin(test);
    },
  ],
  [
    "the run is overdue",
    async (test) => {
      await test.superuser.query("UPDATE run SET deadline = now() - interval '1 second'");
      return begin(test);
    },
  ],
  [
    "the run has used its actions",
    async (test) => {
      await test.superuser.query("UPDATE run SET actions_used = max_actions");
      return begin(test);
    },
  ],
];

test.each(unmet)("[CTL-29][SAF-21] nothing is written when %s, nor of the outcome beside it", async (_, make) => {
  await using test = await open();
  const other = begin(test);
  await test.plain.begin(other);
  const attempt = await make(test);
  const before = await test.written();
  const answers = await Promise.all([test.plain.begin(attempt), test.plain.finish(endOf(test, other.action.id), [])]);
  expect(answers).toEqual(["again", "again"]);
  expect(await test.written()).toEqual(before);
});

test("[AUD-14] an action that has ended does not end again", async () => {
  await using test = await open();
  const first = begin(test, { draws: [draw("cap/a", 3)] });
  await test.plain.begin(first);
  await test.superuser.query("UPDATE action SET state = 'unknown', ended_at = now()");
  const before = await test.written();
  expect(await test.plain.finish(endOf(test, first.action.id), [draw("cap/a", 3)])).toBe("again");
  expect(await test.written()).toEqual(before);
});

test("[CTL-29] of 60 at once on a cap of 12, through two servers, never more than 12 are written", async () => {
  await using test = await open();
  const limits = { maxBatch: 4, maxWaiting: 1_000 };
  const other = createPlainJournal({ ...test, instance, limits, onFull: () => new Error("full") });
  const all = Array.from({ length: 60 }, (_, index) =>
    (index % 2 === 0 ? test.plain : other).begin(begin(test, { draws: [draw("cap/a", 12), draw("cap/b", 1_000)] })),
  );
  const intended = (await Promise.all(all)).filter((answer) => answer !== "again").length;
  expect(intended).toBeLessThanOrEqual(12);
  expect(await test.written()).toMatchObject({
    windows: [
      { key: "cap/a", reserved: intended },
      { key: "cap/b", reserved: intended },
    ],
    used: [{ actions_used: intended }],
  });
});
