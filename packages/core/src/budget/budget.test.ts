import fc from "fast-check";
import { expect, test } from "vitest";
import { type BudgetWindow, type Draw, bucket, drawFor, overdrawn, reserve, settle } from "./budget.ts";

const time = { weekday: "sat", hour: 9, minute: 5, date: "2026-11-21" };
const scopes = { agent: "triage", run: "run_1", tool: "helpdesk__refund.create" };
const cap = { type: "cap", policy: "cap.refunds", counts: "amount", limit: 50_000, per: "day", scope: "agent" } as const;

test.each([
  ["day", "2026-11-21"],
  ["hour", "2026-11-21T09"],
  ["minute", "2026-11-21T09:05"],
] as const)("a window per %s", (per, expected) => {
  expect(bucket(per, time)).toBe(expected);
});

test("a cap counts the amount of a tool that has one, and one for a count of actions", () => {
  expect(drawFor(cap, scopes, 8_000, time)).toMatchObject({ key: "cap/cap.refunds/agent/triage/2026-11-21", amount: 8_000, limit: 50_000 });
  expect(drawFor(cap, scopes, null, time)).toBeNull();
  expect(drawFor({ ...cap, counts: "actions", scope: "run" }, { ...scopes, run: null }, null, time)).toMatchObject({
    key: "cap/cap.refunds/run/triage/2026-11-21",
    amount: 1,
  });
});

test("[CTL-29] whatever is reserved and settled in whatever order, spent + reserved never exceeds the limit", () => {
  const step = fc.record({ amount: fc.nat(40), settles: fc.option(fc.record({ which: fc.nat(), spent: fc.boolean() }), { nil: null }) });
  fc.assert(
    fc.property(fc.nat(200), fc.array(step, { maxLength: 60 }), (limit, steps) => {
      let windows: Map<string, BudgetWindow> = new Map();
      const open: Draw[] = [];
      for (const { amount, settles } of steps) {
        const draw: Draw = { key: "k", amount, limit, policy: "p", counts: "amount", per: "day" };
        if (overdrawn(windows, [draw]) === null) {
          windows = reserve(windows, [draw]);
          open.push(draw);
        }
        if (settles !== null && open.length > 0) {
          const [ended] = open.splice(settles.which % open.length, 1);
          if (ended !== undefined) windows = settle(windows, [ended], settles.spent);
        }
        const window = windows.get("k") ?? { spent: 0, reserved: 0 };
        expect(window.spent + window.reserved).toBeLessThanOrEqual(limit);
        expect(window.reserved).toBe(open.reduce((sum, { amount: reserved }) => sum + reserved, 0));
      }
    }),
  );
});
