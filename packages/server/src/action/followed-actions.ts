import { setTimeout as delay } from "node:timers/promises";
import type { ActionOutcome, Caller, Id } from "@remit/contract";
import type { OpenApproval } from "../approval/approvals.ts";
import type { ActionDeps } from "./action-deps.ts";
import { recordedOutcome } from "./attached-outcome.ts";

/** How an action stands. */
export type Followed = { caller: Caller; tool: string; requestedAt: Date } & (
  | { state: "waiting"; approval: OpenApproval }
  | { state: "executing" }
  | { state: "over"; outcome: ActionOutcome }
);

/** What is asked of actions by whoever waits for one. Nothing is decided or recorded by looking. */
export type FollowedActions = {
  /** Null: there is no such action. */
  look(id: Id<"action">): Promise<Followed | null>;
  /** Resolves when the action no longer waits for a person, when the time is up, or when nobody listens any more. */
  untilDecided(id: Id<"action">, options: { forMs: number; signal: AbortSignal }): Promise<void>;
};

const pollMs = 250;

export function createFollowedActions(deps: Pick<ActionDeps, "journal" | "approvals" | "payloads" | "inFlight">): FollowedActions {
  async function look(id: Id<"action">): Promise<Followed | null> {
    const row = await deps.journal.read(id);
    if (row === null) return null;
    const { caller, tool, requestedAt } = row;
    if (row.state === "executing") return { caller, tool, requestedAt, state: "executing" };
    if (row.state !== "waiting") return { caller, tool, requestedAt, state: "over", outcome: await recordedOutcome(deps, row) };
    const approval = await deps.approvals.open(id);
    // Granted, and about to be executed.
    if (approval === null) return { caller, tool, requestedAt, state: "executing" };
    return { caller, tool, requestedAt, state: "waiting", approval };
  }

  return {
    look,
    async untilDecided(id, { forMs, signal }) {
      for (let waitedMs = 0; waitedMs < forMs && !signal.aborted && !deps.inFlight.closing.aborted; waitedMs += pollMs) {
        if ((await look(id))?.state !== "waiting") return;
        await delay(Math.min(pollMs, forMs - waitedMs), undefined, { signal }).catch(() => undefined);
      }
    },
  };
}
