import type { Id } from "@remit/contract";
import { buildRegistry } from "@remit/core/testing";
import { expect, test, vi } from "vitest";
import { startCatchUpClock } from "../clock/catch-up-clock.ts";
import { openTestRuns, operator, startOf } from "./run.testing.ts";

const minute = 60_000;
const unexpected = (error: unknown): never => expect.unreachable(String(error));

test("[RUN-27][SAF-21] the work of a run that nobody follows any more goes to another run", async () => {
  await using test = await openTestRuns();
  const item = await test.enqueue("T-1");
  const first = await test.start();
  await test.act(first.run.id, "waiting");
  test.later(4 * minute);
  expect(await test.runs.catchUp(unexpected)).toBe(0);
  test.later(2 * minute);
  expect(await test.runs.catchUp(unexpected)).toBe(1);
  expect(await test.runs.get(first.run.id as Id<"run">)).toMatchObject({ state: "lost", actions: { cancelled: 1 } });
  expect(await test.item(item)).toMatchObject({ state: "ready", attempts: 1 });
  const second = await test.start();
  expect(second.item).toMatchObject({ id: item, attempt: 2 });
  expect((await test.entries("run-ended", "item-returned")).map(({ actor }) => actor)).toEqual(["service:runs", "service:runs"]);
});

test("[SAF-21] work that loses every run is set aside after as many as its queue allows", async () => {
  await using test = await openTestRuns(buildRegistry({ queues: [{ name: "billing-tier1", maxAttempts: 3 }] }));
  const item = await test.enqueue("T-1");
  for (let attempt = 1; attempt <= 3; attempt += 1) {
    await test.start();
    test.later(6 * minute);
    await test.runs.catchUp(unexpected);
  }
  expect(await test.item(item)).toMatchObject({ state: "set-aside", attempts: 3 });
  expect(await test.runs.start(operator, startOf())).toMatchObject({ run: null });
});

test("[CTL-29] a run past its time is stopped, however often it is renewed", async () => {
  await using test = await openTestRuns();
  const { run } = await test.start({ queue: null });
  for (let passed = 0; passed < 10; passed += 1) {
    await test.runs.renew(run.id as Id<"run">, { type: "actor", actor: operator });
    test.later(minute);
    await test.runs.catchUp(unexpected);
  }
  expect(await test.runState(run.id)).toBe("stopped-at-limit");
  // What follows the run comes to the same end a moment later.
  await test.runs.end(run.id as Id<"run">, operator, { outcome: "stopped-at-limit", reason: "its time is up" });
  expect(await test.entries("run-ended")).toHaveLength(1);
});

test("[SAF-21] after everything was down, each run is ended once, whichever server comes first", async () => {
  await using test = await openTestRuns();
  await Promise.all(Array.from({ length: 130 }, (_, index) => test.enqueue(`T-${index}`)));
  await Promise.all(Array.from({ length: 130 }, () => test.start()));
  test.later(24 * 60 * minute);
  const clocks = [test.runs, test.there, test.there].map((runs) =>
    startCatchUpClock({ catchUp: (onError) => runs.catchUp(onError), everyMs: 20, onError: unexpected }),
  );
  await vi.waitFor(async () => expect(await test.entries("item-returned")).toHaveLength(130), { timeout: 20_000 });
  await Promise.all(clocks.map((clock) => clock.stop()));
  const ended = await test.entries("run-ended");
  expect(new Set(ended.map(({ runId }) => runId)).size).toBe(130);
  expect(ended).toHaveLength(130);
});

test("a run that cannot be ended does not keep the others, and is told of", async () => {
  await using test = await openTestRuns();
  const [stuck, other] = [await test.start({ queue: null }), await test.start({ queue: null })];
  await test.superuser.query(`ALTER TABLE run ADD CHECK (id <> '${stuck.run.id}' OR state <> 'lost')`);
  test.later(6 * minute);
  const told: string[] = [];
  expect(await test.runs.catchUp((_error, id) => void told.push(id))).toBe(1);
  expect(told).toEqual([stuck.run.id]);
  expect([await test.runState(stuck.run.id), await test.runState(other.run.id)]).toEqual(["running", "lost"]);
});

test("ending runs needs no registry: it may be the one thing that is missing", async () => {
  await using test = await openTestRuns();
  const item = await test.enqueue("T-1");
  await test.start();
  test.later(6 * minute);
  test.goStale();
  expect(await test.runs.catchUp(unexpected)).toBe(1);
  expect(await test.item(item)).toMatchObject({ state: "ready" });
});
