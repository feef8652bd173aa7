import type { Obligation } from "@remit/contract";
import { localTime } from "../calendar/calendar.ts";
import type { LocalTime } from "../calendar/calendar.ts";

/** One window of one budget: what was spent, and what is reserved by actions in flight. Counts or minor units; never fractions. */
export type BudgetWindow = { key: string; spent: number; reserved: number };

/** What one action takes from a window: one of its actions, or so much of its amount. */
export type Reservation = { key: string; amount: number; counts: "actions" | "amount" };

/** A window with its limit, as one action would draw on it. */
export type Draw = Reservation & { limit: number; policy: string; per: "minute" | "hour" | "day" };

export type Cap = Extract<Obligation, { type: "cap" }>;

/** Whose window a cap's is, by the cap's scope. */
export type CapScopes = { agent: string; run: string | null; tool: string };

/** The part of a window's key that changes when the next window begins. Days, hours and minutes are the organisation's. */
export function bucket(per: Cap["per"], time: LocalTime): string {
  switch (per) {
    case "day":
      return time.date;
    case "hour":
      return `${time.date}T${two(time.hour)}`;
    case "minute":
      return `${time.date}T${two(time.hour)}:${two(time.minute)}`;
  }
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}

/** The parts that windows have in their keys which can be drawn on at this moment. */
export function currentBuckets(now: Date, timeZone: string): string[] {
  const time = localTime(now, timeZone);
  return (["minute", "hour", "day"] as const).map((per) => bucket(per, time));
}

/**
 * What a cap makes an action draw. A cap's window belongs to the policy that asks for it, so two caps never share one.
 * Outside a run, a cap per run counts per agent: the stricter reading.
 */
export function drawFor(cap: Cap, scopes: CapScopes, amount: number | null, time: LocalTime): Draw | null {
  const owner = ownerOf(cap.scope, scopes);
  const drawn = cap.counts === "actions" ? 1 : amount;
  if (drawn === null) return null;
  return {
    key: `cap/${cap.policy}/${cap.scope}/${owner}/${bucket(cap.per, time)}`,
    amount: drawn,
    limit: cap.limit,
    policy: cap.policy,
    counts: cap.counts,
    per: cap.per,
  };
}

function ownerOf(scope: Cap["scope"], { agent, run, tool }: CapScopes): string {
  switch (scope) {
    case "agent":
      return agent;
    case "run":
      return run ?? agent;
    case "tool":
      return tool;
    case "organisation":
      return "all";
  }
}

/** The first window that the action does not fit into, or null when it fits into all. */
export function overdrawn(windows: ReadonlyMap<string, BudgetWindow>, draws: readonly Draw[]): Draw | null {
  // Two caps of one action may fall into one window only by a repeated policy id, which linting refuses; summing keeps even that safe.
  const drawn = new Map<string, number>();
  for (const draw of draws) {
    const window = windows.get(draw.key) ?? { key: draw.key, spent: 0, reserved: 0 };
    const before = drawn.get(draw.key) ?? 0;
    if (window.spent + window.reserved + before + draw.amount > draw.limit) return draw;
    drawn.set(draw.key, before + draw.amount);
  }
  return null;
}

/** Windows after an action has reserved. */
export function reserve(windows: ReadonlyMap<string, BudgetWindow>, reservations: readonly Reservation[]): Map<string, BudgetWindow> {
  return change(windows, reservations, (window, { amount }) => ({ ...window, reserved: window.reserved + amount }));
}

/** Windows after a reservation that came to nothing has been taken back. */
export function release(windows: ReadonlyMap<string, BudgetWindow>, reservations: readonly Reservation[]): Map<string, BudgetWindow> {
  return change(windows, reservations, (window, { amount }) => ({ ...window, reserved: window.reserved - amount }));
}

/**
 * Windows after an action has ended. An amount is spent unless it is certain that nothing was moved; an action was an action
 * however it ended, or failing calls would never meet a rate.
 */
export function settle(
  windows: ReadonlyMap<string, BudgetWindow>,
  reservations: readonly Reservation[],
  amountSpent: boolean,
): Map<string, BudgetWindow> {
  return change(windows, reservations, (window, { amount, counts }) => ({
    ...window,
    reserved: window.reserved - amount,
    spent: window.spent + (counts === "actions" || amountSpent ? amount : 0),
  }));
}

function change(
  windows: ReadonlyMap<string, BudgetWindow>,
  reservations: readonly Reservation[],
  apply: (window: BudgetWindow, reservation: Reservation) => BudgetWindow,
): Map<string, BudgetWindow> {
  const changed = new Map(windows);
  for (const reservation of reservations) {
    const { key } = reservation;
    changed.set(key, apply(changed.get(key) ?? { key, spent: 0, reserved: 0 }, reservation));
  }
  return changed;
}
