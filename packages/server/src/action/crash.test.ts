import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type CrashPoint, crashPoints } from "./crash-point.ts";
import { type CrashWorld, openCrashWorld } from "./crash.testing.ts";

type Row = {
  point: CrashPoint;
  /** What is in progress when the server dies. */
  doing: "note" | "mail" | "grant";
  /** How the action stands once another server has looked after it; null: it had not begun. */
  state: "unknown" | "succeeded" | "waiting" | null;
  /** How often it may have been executed. */
  executed: number[];
};

const rows: Row[] = [
  { point: "before-intent", doing: "note", state: null, executed: [0] },
  { point: "after-intent", doing: "note", state: "unknown", executed: [0] },
  { point: "while-executing", doing: "note", state: "unknown", executed: [0, 1] },
  { point: "after-execution", doing: "note", state: "unknown", executed: [1] },
  { point: "after-outcome", doing: "note", state: "succeeded", executed: [1] },
  { point: "after-waiting", doing: "mail", state: "waiting", executed: [0] },
  { point: "before-granted-intent", doing: "grant", state: "succeeded", executed: [1] },
  { point: "after-granted-intent", doing: "grant", state: "unknown", executed: [0] },
  { point: "while-executing", doing: "grant", state: "unknown", executed: [0, 1] },
  { point: "after-execution", doing: "grant", state: "unknown", executed: [1] },
  { point: "after-outcome", doing: "grant", state: "succeeded", executed: [1] },
];

let world: CrashWorld;
let server: Awaited<ReturnType<CrashWorld["start"]>>;

beforeAll(async () => {
  world = await openCrashWorld();
  server = await world.start();
  await world.apply();
});
afterAll(() => world[Symbol.asyncDispose]());

test("every crash point is exercised", () => {
  expect(new Set(rows.map(({ point }) => point))).toEqual(new Set(crashPoints));
});

/** Until another server has ended what was in flight, and executed what was granted. */
async function settled(): Promise<void> {
  const open = `SELECT FROM action WHERE state = 'executing' OR id IN (SELECT action_id FROM approval WHERE state = 'granted')`;
  while ((await world.superuser.query(open)).length > 0) await delay(50);
}

test.each(rows)("[RUN-17][SAF-21][AUD-14] killed at $point with a $doing in progress", async ({ point, doing, state, executed }) => {
  const text = `${doing} at ${point}`;
  const waiting = `waits at ${point} of ${doing}`;
  expect(await world.call("mail", waiting)).toBe("waiting");
  if (doing === "grant") expect(await world.call("mail", text)).toBe("waiting");
  const begun = (await world.actions(0)).length;
  await server.stop();

  const dying = await world.start(point);
  if (doing === "grant") {
    const approve = await world.prepareApproval();
    await approve().catch(() => undefined);
  } else await world.call(doing, text).catch(() => undefined);
  expect(await dying.exited).toEqual({ code: null, signal: "SIGKILL" });

  // Once it is left to the clock.
  if (point !== "after-intent") await world.letTimePass();
  server = await world.start();
  await settled();
  const [action, ...others] = await world.actions(doing === "grant" ? begun - 1 : begun);
  expect(others).toEqual([]);
  expect(action?.state ?? null).toBe(state);
  const times = await world.executed(text);
  expect(executed).toContain(times);
  const entries: string[] = action?.entries ?? [];
  if (times > 0) expect(entries).toContain("action-intended");
  expect([entries.filter((type) => type === "action-unknown").length, action?.urgent ?? 0]).toEqual(state === "unknown" ? [1, 1] : [0, 0]);

  // What waited still waits, and runs once when it is granted; what was executed is not executed again.
  await (
    await world.prepareApproval()
  )();
  await settled();
  expect(await world.executed(state === "waiting" ? text : waiting)).toBe(1);
  if (state !== "waiting") expect(await world.executed(text)).toBe(times);
  expect(await world.verify()).toMatchObject({ ok: true, problems: [] });
});
