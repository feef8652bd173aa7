import { expect, test } from "vitest";
import type { ToldEnd } from "./reconcile.ts";
import { isInRatio, reconcile } from "./reconcile.ts";

const kept = "00000000000000000000000000000001";
const left = "ffffffff000000000000000000000000";
const told = (actionId: string, end = "succeeded", traceId: string | null = kept): ToldEnd => ({ actionId, end, traceId });
const all = { metrics: null, dropped: 0, isSampled: (traceId: string) => isInRatio(traceId, 0.5) };

test("[OBS-16] a sampler's choice is known by the trace's id alone", () => {
  expect([isInRatio(kept, 0.5), isInRatio(left, 0.5), isInRatio(left, 1), isInRatio(kept, 0)]).toEqual([true, false, true, false]);
});

test.each<[string, ToldEnd[], ToldEnd[], number, object]>([
  ["the same on both sides", [told("a"), told("b", "denied")], [told("b", "denied"), told("a")], 0, { agrees: true }],
  ["an entry without a span", [told("a"), told("b")], [told("a")], 0, { agrees: false, missing: [told("b")] }],
  ["an entry whose span was dropped", [told("a"), told("b")], [told("a")], 1, { agrees: true, missing: [told("b")] }],
  ["an entry whose trace is not sampled", [told("a"), told("b", "failed", left)], [told("a")], 0, { agrees: true, missing: [] }],
  ["a span without an entry", [told("a")], [told("a"), told("b")], 5, { agrees: false, unfounded: [told("b")] }],
  ["one span too many for one entry", [told("a")], [told("a"), told("a")], 5, { agrees: false, unfounded: [told("a")] }],
  ["another end", [told("a", "failed")], [told("a")], 0, { agrees: false, missing: [told("a", "failed")], unfounded: [told("a")] }],
  ["an end that was recorded late", [told("a", "failed")], [told("a", "unrecorded")], 0, { agrees: true, missing: [], unfounded: [] }],
  ["a call that attached to another", [told("a")], [told("a"), told("b", "attached")], 0, { agrees: true, unfounded: [] }],
])("[OBS-16] %s", (_name, ledger, spans, dropped, expected) => {
  expect(reconcile({ ...all, ledger, spans, dropped })).toMatchObject(expected);
});

test("[OBS-16] metrics agree by kind or not at all, and what was not asked is no difference", () => {
  const ledger = [told("a"), told("b", "denied")];
  const by = (counts: [string, number][]) => reconcile({ ...all, ledger, spans: null, metrics: new Map(counts) }).agrees;
  expect(
    by([
      ["succeeded", 1],
      ["denied", 1],
    ]),
  ).toBe(true);
  expect(by([["succeeded", 2]])).toBe(false);
  expect(
    by([
      ["succeeded", 1],
      ["denied", 1],
      ["failed", 1],
    ]),
  ).toBe(false);
  expect(reconcile({ ...all, ledger, spans: null, metrics: null }).agrees).toBe(true);
});
