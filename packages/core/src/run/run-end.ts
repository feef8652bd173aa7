import type { RunState } from "@remit/contract";

/** How a run can have ended. */
export type EndState = Exclude<RunState, "running">;

/**
 * What becomes of the work of a run that has ended. What was not completed goes back for another run to try, but not for ever: work that
 * breaks every run that takes it is set aside for people to look at.
 */
export function afterRun(ended: EndState, attempts: number, maxAttempts: number): "completed" | "ready" | "set-aside" {
  if (ended === "completed") return "completed";
  return attempts >= maxAttempts ? "set-aside" : "ready";
}

/**
 * Whether the questions that the run has asked people end with it. Nothing of a stopped run happens any more; and where another run takes
 * the work up it asks by itself, so a late yes to the first would do the same thing twice.
 */
export function withdrawsQuestions(ended: EndState, item: "completed" | "ready" | "set-aside" | null): boolean {
  return ended === "cancelled" || ended === "halted" || item === "ready";
}

/** Why time has ended a run, or null: whichever of lease and deadline came first. Times are milliseconds since 1970. */
export function overdue(run: { leaseUntil: number; deadline: number }, now: number): "lost" | "stopped-at-limit" | null {
  if (Math.min(run.leaseUntil, run.deadline) > now) return null;
  return run.leaseUntil < run.deadline ? "lost" : "stopped-at-limit";
}
