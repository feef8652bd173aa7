import type { Check, Verdict } from "./referee.ts";

export type Lost = { scenario: string; checks: Pick<Check, "id" | "status" | "description" | "errorMessage" | "details">[] };

/** A scenario is passed when it was run to its end, and none of its checks failed. */
export function passed(verdict: Verdict, scenario: string): boolean {
  const checks = verdict.get(scenario);
  return checks !== undefined && checks.some(({ status }) => status === "SUCCESS") && checks.every(({ status }) => status !== "FAILURE");
}

/**
 * What was there directly, and not through. Stricter than the referee, for whom a warning, or a check that was skipped because the
 * gateway does not offer a thing, is no failure: a check that succeeded directly has to succeed through.
 */
export function lostOnTheWay(direct: Verdict, through: Verdict, scenarios: readonly string[]): Lost[] {
  const lost: Lost[] = [];
  for (const scenario of scenarios) {
    if (!passed(direct, scenario)) continue;
    const there = through.get(scenario) ?? [];
    const succeeded = new Set(succeededIds(there));
    const missing = [...new Set(succeededIds(direct.get(scenario) ?? []))].filter((id) => !succeeded.has(id));
    const checks = [
      ...there.filter(({ id, status }) => status === "FAILURE" || (status !== "SUCCESS" && missing.includes(id))),
      ...missing
        .filter((id) => there.every((check) => check.id !== id))
        .map((id) => ({ id, status: "FAILURE" as const, description: "It succeeded directly, and was not reached through", details: {} })),
    ];
    if (checks.length > 0) lost.push({ scenario, checks });
  }
  return lost;
}

function succeededIds(checks: readonly Check[]): string[] {
  const failed = new Set(checks.filter(({ status }) => status === "FAILURE" || status === "WARNING").map(({ id }) => id));
  return checks.filter(({ id, status }) => status === "SUCCESS" && !failed.has(id)).map(({ id }) => id);
}
