import { expect, test } from "vitest";
import { consequence, distance } from "./approval-words.ts";

const now = Date.UTC(2026, 10, 21, 9);
const after = (ms: number) => distance(new Date(now + ms).toISOString(), now);

test.each([
  [0, "now"],
  [1_000, "in 1 s"],
  [61_000, "in 1 min 1 s"],
  [3_600_000, "in 1 h"],
  [3_900_000, "in 1 h 5 min"],
  [25 * 3_600_000, "in 1 day 1 h"],
  [50 * 3_600_000, "in 2 days 2 h"],
  [-90_000, "1 min 30 s ago"],
])("%i ms away is %s", (ms, words) => {
  expect(after(ms)).toBe(words);
});

test("a read changes nothing, whatever is said of undoing it", () => {
  expect(consequence({ effect: "read", reversibility: "none" })).toBe("It looks something up and changes nothing.");
  expect(consequence({ effect: "write", reversibility: "compensable" })).toBe(
    "It changes something outside Remit. It cannot be undone, only made good.",
  );
});
