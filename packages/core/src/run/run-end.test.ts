import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { EndState } from "./run-end.ts";
import { afterRun, overdue, withdrawsQuestions } from "./run-end.ts";

const endStates = ["completed", "failed", "stopped-at-limit", "halted", "cancelled", "lost"] as const satisfies EndState[];

describe("[SAF-21] the work of a run that has ended", () => {
  test.each<[EndState, number, number, string]>([
    ["completed", 1, 3, "completed"],
    ["completed", 9, 3, "completed"],
    ["failed", 1, 3, "ready"],
    ["failed", 2, 3, "ready"],
    ["failed", 3, 3, "set-aside"],
    ["lost", 1, 1, "set-aside"],
    ["cancelled", 1, 2, "ready"],
    ["halted", 2, 2, "set-aside"],
    // The queue's limit was lowered meanwhile.
    ["stopped-at-limit", 5, 2, "set-aside"],
  ])("%s after %i of %i claims is %s", (ended, attempts, most, after) => {
    expect(afterRun(ended, attempts, most)).toBe(after);
  });

  test("law: is tried at most so often as its queue says", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.infiniteStream(fc.constantFrom(...endStates)), (most, ends) => {
        let attempts = 0;
        let state: string = "ready";
        for (const ended of ends) {
          if (state !== "ready") break;
          attempts += 1;
          state = afterRun(ended, attempts, most);
        }
        return attempts <= most;
      }),
    );
  });
});

test("what is tried again is asked again; so the first question ends. So does every question of a run that somebody stopped", () => {
  for (const ended of endStates) {
    expect(withdrawsQuestions(ended, "ready")).toBe(true);
    const stopped = ended === "cancelled" || ended === "halted";
    for (const item of ["completed", "set-aside", null] as const) expect(withdrawsQuestions(ended, item)).toBe(stopped);
  }
});

test.each<[number, number, number, ReturnType<typeof overdue>]>([
  [10, 20, 9, null],
  [10, 20, 10, "lost"],
  [20, 10, 9, null],
  [20, 10, 10, "stopped-at-limit"],
  // Nobody looked for long: what came first counts.
  [10, 20, 99, "lost"],
  [20, 10, 99, "stopped-at-limit"],
  [10, 10, 10, "stopped-at-limit"],
])("a lease until %i and a deadline at %i are, at %i, %s", (leaseUntil, deadline, now, state) => {
  expect(overdue({ leaseUntil, deadline }, now)).toBe(state);
});
