import type { Caller, Decision, Id } from "@remit/contract";
import { buildRegistry } from "@remit/core/testing";
import { expect, test } from "vitest";
import { newId } from "../id/new-id.ts";
import { openTestRuns, operator } from "../run/run.testing.ts";
import type { Started, TestRuns } from "../run/run.testing.ts";
import type { ActionJournal, Begin, Begun } from "./action.journal.ts";
import { createActionJournal } from "./action.journal.postgres.ts";

const allow: Decision = { type: "allow", obligations: [], policies: ["grants"], shadow: [] };
const deny: Decision = { type: "deny", code: "no-grant", reason: "nothing allows it", policies: [], shadow: [] };

async function callerOf(test: TestRuns, { token, mcpUrl }: Started): Promise<Caller> {
  return test.identity.callers.verify(token, mcpUrl);
}

function journalOf(test: TestRuns): ActionJournal {
  return createActionJournal({ ...test, instance: "00000000-0000-7000-8000-000000000001" });
}

/** An attempt that is judged already; what the run allows is decided by the journal, under lock. */
function attempt(test: TestRuns, caller: Caller, decision: Decision = allow): Begin {
  const argumentsEntry = newId("entry");
  const at = test.now();
  const id = newId("action");
  const entry = (type: "action-intended" | "action-denied" | "action-waiting") => () => ({
    id: argumentsEntry,
    type,
    at: at.toISOString(),
    actor: `agent:${caller.agent}`,
    actionId: id,
    data: {},
  });
  return {
    action: {
      id,
      digest: "d".repeat(64),
      caller,
      tool: "helpdesk__tickets.read",
      effect: "read",
      idempotencyKey: null,
      attachKey: null,
      argumentsEntry,
      traceId: null,
      at,
    },
    epoch: test.control.epoch(),
    counted: null,
    amount: null,
    decide: () => decision,
    draws: () => [],
    entries: { intended: entry("action-intended"), denied: entry("action-denied"), waiting: entry("action-waiting") },
    request: () => {
      throw new Error("nothing waits here");
    },
    grant: null,
  };
}

const codeOf = (begun: Begun): string => (begun.type === "denied" && begun.decision.type === "deny" ? begun.decision.code : begun.type);

test("[CTL-29] of 64 actions at once in a run of three, through two servers, three happen and the others are denied", async () => {
  await using test = await openTestRuns();
  const started = await test.start({ queue: null, maxActions: 3 });
  const caller = await callerOf(test, started);
  const journals = [journalOf(test), journalOf(test)];
  const begun = await Promise.all(
    Array.from({ length: 64 }, (_, index) => (journals[index % 2] ?? journalOf(test)).begin(attempt(test, caller))),
  );
  expect(begun.map(codeOf).toSorted()).toEqual([
    ...Array.from({ length: 3 }, () => "intended"),
    ...Array.from({ length: 61 }, () => "run-limit-reached"),
  ]);
  expect((await test.runs.get(started.run.id as Id<"run">)).actions).toEqual({ denied: 61, executing: 3 });
});

test("[CTL-29] what is denied costs a run nothing, and one run's actions cost another nothing", async () => {
  await using test = await openTestRuns();
  const [first, second] = [await test.start({ queue: null, maxActions: 1 }), await test.start({ queue: null, maxActions: 1 })];
  const journal = journalOf(test);
  const [one, two] = [await callerOf(test, first), await callerOf(test, second)];
  expect(codeOf(await journal.begin(attempt(test, one, deny)))).toBe("no-grant");
  expect(codeOf(await journal.begin(attempt(test, one)))).toBe("intended");
  expect(codeOf(await journal.begin(attempt(test, two)))).toBe("intended");
  expect(codeOf(await journal.begin(attempt(test, one)))).toBe("run-limit-reached");
});

test.each(["completed", "failed", "cancelled", "stopped-at-limit"] as const)(
  "[SAF-21] nothing begins in a run that is %s",
  async (outcome) => {
    await using test = await openTestRuns();
    const started = await test.start({ queue: null });
    const caller = await callerOf(test, started);
    await test.runs.end(started.run.id as Id<"run">, operator, { outcome, reason: "over" });
    expect(codeOf(await journalOf(test).begin(attempt(test, caller)))).toBe("run-ended");
  },
);

test("whoever follows a run page by page misses no action, whatever commits while he reads", async () => {
  await using test = await openTestRuns(buildRegistry({ workflows: [{ name: "triage", limits: { actions: 1000, wallclock: "PT10M" } }] }));
  const started = await test.start({ queue: null });
  const caller = await callerOf(test, started);
  const run = started.run.id as Id<"run">;
  const journals = [journalOf(test), journalOf(test), journalOf(test)];
  let busy = true;
  const acting = Promise.all(
    journals.map(async (journal) => {
      for (let round = 0; round < 8; round += 1) await Promise.all(Array.from({ length: 10 }, () => journal.begin(attempt(test, caller))));
    }),
  ).finally(() => (busy = false));
  const seen: string[] = [];
  let after: number | null = null;
  for (let last = false; !last;) {
    last = !busy;
    const rows: { place: number; action: { id: string } }[] = await test.actions.list(run, { after, limit: 7 });
    seen.push(...rows.map(({ action }) => action.id));
    after = rows.at(-1)?.place ?? after;
    if (rows.length > 0) last = false;
  }
  await acting;
  expect(seen).toHaveLength(240);
  expect(new Set(seen).size).toBe(240);
});
