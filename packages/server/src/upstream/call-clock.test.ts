import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { CallClock } from "./call-clock.ts";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const codeOf = (clock: CallClock): unknown => (clock.signal.aborted ? (clock.signal.reason as { code?: string }).code : "runs");

test("a call's time ends with itself, or with its caller's", () => {
  const caller = new AbortController();
  const [late, cancelled] = [new CallClock("desk", 100, caller.signal), new CallClock("desk", 1_000, caller.signal)];
  vi.advanceTimersByTime(100);
  expect([codeOf(late), codeOf(cancelled)]).toEqual(["upstream-timeout", "runs"]);
  caller.abort();
  expect([codeOf(late), codeOf(cancelled)]).toEqual(["upstream-timeout", "cancelled"]);
  expect(codeOf(new CallClock("desk", 1_000, caller.signal))).toBe("cancelled");
});

test("it stands still until it has been resumed as often as paused, and has the whole of its time then", () => {
  const clock = new CallClock("desk", 100, null);
  clock.pause();
  clock.pause();
  clock.resume();
  vi.advanceTimersByTime(10_000);
  expect(codeOf(clock)).toBe("runs");
  clock.resume();
  vi.advanceTimersByTime(99);
  expect(codeOf(clock)).toBe("runs");
  vi.advanceTimersByTime(1);
  expect(codeOf(clock)).toBe("upstream-timeout");
});

test("it says what was late where it was given longer", () => {
  const clock = new CallClock("desk", 100, null);
  clock.extend(1_000, "did not end its task");
  vi.advanceTimersByTime(999);
  expect(codeOf(clock)).toBe("runs");
  vi.advanceTimersByTime(1);
  expect(clock.signal.reason).toMatchObject({ code: "upstream-timeout", message: 'upstream "desk" did not end its task' });
});

test("nothing goes on of a call that has ended: no timer, and no ear for its caller", () => {
  const caller = new AbortController();
  const clock = new CallClock("desk", 100, caller.signal);
  clock.pause();
  clock.end();
  clock.resume();
  expect(vi.getTimerCount()).toBe(0);
  caller.abort();
  expect([codeOf(clock), clock.isOver]).toEqual(["runs", true]);
});

test("given longer while it stands still, it goes on standing still, and leaves no timer behind", () => {
  const clock = new CallClock("desk", 100, null);
  clock.pause();
  clock.extend(1_000, "did not end its task");
  vi.advanceTimersByTime(10_000);
  expect(codeOf(clock)).toBe("runs");
  clock.resume();
  vi.advanceTimersByTime(999);
  expect(codeOf(clock)).toBe("runs");
  clock.end();
  expect(vi.getTimerCount()).toBe(0);
});
