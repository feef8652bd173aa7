import { setTimeout as delay } from "node:timers/promises";
import { RemitError } from "@remit/contract";
import type { ActionDeps } from "./action-deps.ts";
import type { End } from "./action.journal.ts";

/** How long a caller waits for what he did to be recorded. It is tried for longer. */
const patienceMs = 5_000;
const longestPauseMs = 5_000;

/** `recorded`; `lost`: it had been given up as lost, and that stands; `later`: it is still being tried, or left to whoever recovers. */
export type Recorded = "recorded" | "lost" | "later";

/**
 * Commits an outcome that could not be committed at once, as when the database is away at the moment. Nothing bounds how many wait here
 * but this: while outcomes cannot be committed, no intent can, so no more come. `without` is the same outcome without what turned out to
 * have no form that can be recorded.
 */
export function recordLater(deps: ActionDeps, end: End, error: unknown, without: (why: string) => End): Promise<Recorded> {
  const release = deps.inFlight.hold(end.actionId);
  const recording = keepTrying(deps, error, end, without).finally(release);
  return Promise.race([recording, delay(patienceMs, "later" as const, { ref: false })]);
}

async function keepTrying(deps: ActionDeps, first: unknown, full: End, without: (why: string) => End): Promise<Recorded> {
  const { closing } = deps.inFlight;
  let error = first;
  let end = full;
  let pauseMs = 100;
  while (!closing.aborted) {
    deps.logger.error({ err: error, actionId: end.actionId }, "the outcome of an action could not be recorded; trying again");
    if (end === full && isUnrecordable(error)) end = without(error instanceof Error ? error.message : String(error));
    else await delay(pauseMs, undefined, { signal: closing, ref: false }).catch(() => undefined);
    pauseMs = Math.min(pauseMs * 2, longestPauseMs);
    try {
      if (await deps.journal.finish(end)) return "recorded";
      // A commit whose answer was lost is a commit.
      const row = await deps.journal.read(end.actionId);
      return row?.state === end.state ? "recorded" : "lost";
    } catch (again) {
      error = again;
    }
  }
  return "later";
}

/** It is the outcome that cannot be recorded, not the ledger that cannot record. */
function isUnrecordable(error: unknown): boolean {
  return RemitError.is(error) && !["database-unavailable", "ledger-unavailable", "internal"].includes(error.code);
}
