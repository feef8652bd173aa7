import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { createGroupCommit } from "./group-commit.ts";
import type { GroupCommit } from "./group-commit.ts";

type Open = { group: GroupCommit<string, string>; batches: (readonly string[])[] };

/** Keeps what was committed together. */
function open(lingerMs: number, maxBatch = 100): Open {
  const batches: (readonly string[])[] = [];
  const group = createGroupCommit<string, string>({
    maxBatch,
    maxWaiting: 1_000,
    lingerMs,
    onFull: () => new Error("full"),
    commit: async (jobs) => {
      batches.push(jobs);
      return [...jobs];
    },
  });
  return { group, batches };
}

const long = 1_000_000;

test("whoever is alone waits for nobody", async () => {
  const { group, batches } = open(long);
  for (const job of ["first", "second", "third"]) expect(await group.submit(job)).toBe(job);
  expect(batches).toEqual([["first"], ["second"], ["third"]]);
});

test("callers who were answered together are waited for, and go together again", async () => {
  const { group, batches } = open(long);
  const caller = async (name: string, afterMs: number): Promise<void> => {
    await group.submit(`${name}1`);
    if (afterMs > 0) await delay(afterMs);
    await group.submit(`${name}2`);
  };
  await Promise.all([caller("a", 0), caller("b", 2), caller("c", 5), caller("d", 9)]);
  expect(batches).toEqual([
    ["a1", "b1", "c1", "d1"],
    ["a2", "b2", "c2", "d2"],
  ]);
});

test("whoever does not come back is not waited for longer than was said, and is forgotten", async () => {
  const { group, batches } = open(3);
  await Promise.all(Array.from({ length: 8 }, (_, index) => group.submit(String(index))));
  for (let count = 0; count < 5; count += 1) await group.submit("alone");
  expect(batches.map(({ length }) => length)).toEqual([8, 1, 1, 1, 1, 1]);
});

test("a batch is never larger than it may be, and waits for no more than that", async () => {
  const { group, batches } = open(long, 3);
  const callers = Array.from({ length: 6 }, async (_, index) => {
    await group.submit(`${index}a`);
    await group.submit(`${index}b`);
  });
  await Promise.all(callers);
  expect(batches.map(({ length }) => length)).toEqual([3, 3, 3, 3]);
});
