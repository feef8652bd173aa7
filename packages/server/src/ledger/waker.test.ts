import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createWaker } from "./waker.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
afterEach(() => void vi.useRealTimers());

/** After how many milliseconds it is quiet, if it is woken at these; null where it is not within a second. */
async function quietAfter(wokenAt: readonly number[], then?: (waker: ReturnType<typeof createWaker>) => void): Promise<number | null> {
  const waker = createWaker();
  waker.wake();
  const began = performance.now();
  let endedAt: number | null = null;
  void waker.untilQuiet(10, 20).then(() => (endedAt = performance.now() - began));
  for (const ms of wokenAt) setTimeout(() => waker.wake(), ms);
  if (then !== undefined) setTimeout(() => then(waker), 5);
  await vi.advanceTimersByTimeAsync(1_000);
  return endedAt;
}

test("quiet is so long after the last that woke it", async () => {
  expect(await quietAfter([])).toBe(10);
  expect(await quietAfter([3])).toBe(13);
  expect(await quietAfter([3, 8])).toBe(18);
});

test("where there is always something, it is not waited for longer than was said", async () => {
  expect(await quietAfter([4, 8, 12, 16, 20, 24, 28])).toBe(20);
});

test("whoever hurries it, or stops it, ends the wait", async () => {
  expect(await quietAfter([3], (waker) => waker.hurry())).toBe(5);
  expect(await quietAfter([3], (waker) => waker.stop())).toBe(5);
});

test("who was not woken of late does not wait", async () => {
  const waker = createWaker();
  waker.wake();
  await vi.advanceTimersByTimeAsync(10);
  let isQuiet = false;
  void waker.untilQuiet(10, 20).then(() => (isQuiet = true));
  await vi.advanceTimersByTimeAsync(0);
  expect(isQuiet).toBe(true);
});
