import { expect, test } from "vitest";
import { lostOnTheWay, passed } from "./compare.ts";
import type { Check, Verdict } from "./referee.ts";

const verdict = (scenarios: Record<string, [id: string, status: Check["status"]][]>): Verdict =>
  new Map(
    Object.entries(scenarios).map(([name, checks]) => [name, checks.map(([id, status]) => ({ id, status, description: "", details: {} }))]),
  );

test.each<[string, [string, Check["status"]][], boolean]>([
  ["all succeeded", [["a", "SUCCESS"]], true],
  [
    "one failed",
    [
      ["a", "SUCCESS"],
      ["b", "FAILURE"],
    ],
    false,
  ],
  [
    "one is only warned of",
    [
      ["a", "SUCCESS"],
      ["b", "WARNING"],
    ],
    true,
  ],
  ["nothing was found", [], false],
  ["everything was skipped", [["a", "SKIPPED"]], false],
])("a scenario of which %s: passed or not", (_name, checks, expected) => {
  expect(passed(verdict({ one: checks }), "one")).toBe(expected);
});

test("a scenario that was not run is not passed", () => {
  expect(passed(verdict({}), "one")).toBe(false);
});

test.each<[string, [string, Check["status"]][], [string, Check["status"]][], string[]]>([
  ["the same", [["a", "SUCCESS"]], [["a", "SUCCESS"]], []],
  ["a failure", [["a", "SUCCESS"]], [["a", "FAILURE"]], ["a FAILURE"]],
  ["a warning", [["a", "SUCCESS"]], [["a", "WARNING"]], ["a WARNING"]],
  [
    "a thing that is not offered",
    [
      ["a", "SUCCESS"],
      ["b", "SUCCESS"],
    ],
    [
      ["a", "SUCCESS"],
      ["b", "SKIPPED"],
    ],
    ["b SKIPPED"],
  ],
  [
    "a check that was never reached",
    [
      ["a", "SUCCESS"],
      ["b", "SUCCESS"],
    ],
    [["a", "SUCCESS"]],
    ["b FAILURE"],
  ],
  [
    "a new failure",
    [["a", "SUCCESS"]],
    [
      ["a", "SUCCESS"],
      ["b", "FAILURE"],
    ],
    ["b FAILURE"],
  ],
  [
    "one success and one failure of the same check",
    [["a", "SUCCESS"]],
    [
      ["a", "SUCCESS"],
      ["a", "FAILURE"],
    ],
    ["a FAILURE"],
  ],
  ["what failed before", [["a", "FAILURE"]], [["a", "FAILURE"]], []],
  [
    "what was only warned of before",
    [
      ["a", "SUCCESS"],
      ["b", "WARNING"],
    ],
    [
      ["a", "SUCCESS"],
      ["b", "WARNING"],
    ],
    [],
  ],
])("lost on the way: %s", (_name, direct, through, expected) => {
  const lost = lostOnTheWay(verdict({ one: direct }), verdict({ one: through }), ["one"]);
  expect(lost.flatMap(({ checks }) => checks.map(({ id, status }) => `${id} ${status}`))).toEqual(expected);
});

test("a scenario that was not run through is lost whole", () => {
  expect(lostOnTheWay(verdict({ one: [["a", "SUCCESS"]] }), verdict({}), ["one"])).toMatchObject([{ scenario: "one" }]);
});
