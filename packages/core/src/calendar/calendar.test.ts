import { expect, test } from "vitest";
import { isTimeZone, localTime } from "./calendar.ts";

test.each([
  ["2026-11-20T23:30:00Z", "Europe/Berlin", { weekday: "sat", hour: 0, minute: 30, date: "2026-11-21" }],
  ["2026-11-20T23:30:00Z", "UTC", { weekday: "fri", hour: 23, minute: 30, date: "2026-11-20" }],
  ["2026-11-20T23:30:00Z", "America/Los_Angeles", { weekday: "fri", hour: 15, minute: 30, date: "2026-11-20" }],
  // The night in which clocks go back has the hour 2 twice; both are hour 2 of the same date.
  ["2026-10-25T00:30:00Z", "Europe/Berlin", { weekday: "sun", hour: 2, minute: 30, date: "2026-10-25" }],
  ["2026-10-25T01:30:00Z", "Europe/Berlin", { weekday: "sun", hour: 2, minute: 30, date: "2026-10-25" }],
])("%s in %s", (now, zone, expected) => {
  expect(localTime(new Date(now), zone)).toEqual(expected);
});

test("knows which time zones exist", () => {
  expect(isTimeZone("Europe/Berlin")).toBe(true);
  expect(isTimeZone("Europe/Atlantis")).toBe(false);
});
