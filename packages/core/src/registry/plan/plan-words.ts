import type { Effect, PlanChange, Tier } from "@remit/contract";

export const tierWords: Record<Tier, string> = {
  0: "tier 0 (observe)",
  1: "tier 1 (propose)",
  2: "tier 2 (act outside production)",
  3: "tier 3 (act in production)",
};

export const effectWords: Record<Effect, string> = { read: "reads", propose: "proposes", write: "writes" };

/** `a, b and c`, of everything: what is left out of a plan is what somebody should have seen. */
export function listed(names: readonly string[]): string {
  return names.length < 2 ? (names[0] ?? "nothing") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

/** A change without details or diff, which few have. */
export function change(
  fields: Pick<PlanChange, "group" | "action" | "kind" | "name" | "effect" | "summary"> & Partial<PlanChange>,
): PlanChange {
  return { details: [], diff: null, ...fields };
}

/** What is only in `after`, and what is only in `before`. */
export function gainedAndLost(before: readonly string[], after: readonly string[]): { gained: string[]; lost: string[] } {
  return { gained: after.filter((name) => !before.includes(name)), lost: before.filter((name) => !after.includes(name)) };
}
