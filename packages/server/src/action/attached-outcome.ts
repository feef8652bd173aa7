import { setTimeout as delay } from "node:timers/promises";
import { type ActionOutcome, type Id, RemitError, type ToolResult } from "@remit/contract";
import type { ActionDeps } from "./action-deps.ts";
import type { ActionRow } from "./action.journal.ts";

/** How long a repeated call waits for an action that is being executed before it is told to come again. */
const maxWaitMs = 60_000;
const firstPollMs = 20;
const longestPollMs = 500;

/** What a repeated call gets: the request it attaches to, or the recorded outcome. It never executes anything. */
export async function attachedOutcome(deps: ActionDeps, actionId: Id<"action">, signal: AbortSignal): Promise<ActionOutcome> {
  let pollMs = firstPollMs;
  for (let waitedMs = 0; waitedMs < maxWaitMs; waitedMs += pollMs) {
    const row = await deps.journal.read(actionId);
    if (row === null) throw new RemitError("internal", "the action to attach to has gone");
    if (row.state === "waiting") {
      const approval = await deps.approvals.open(actionId);
      if (approval !== null) {
        const { id: approvalId, link, expiresAt, teams } = approval;
        return {
          type: "waiting",
          actionId,
          approvalId,
          link,
          expiresAt: expiresAt.toISOString(),
          teams,
          reason: `Waits for ${teams.join(" and ")}.`,
        };
      }
    } else if (row.state !== "executing") return recordedOutcome(deps, row);
    const ended = deps.inFlight.ended(actionId);
    pollMs = Math.min(pollMs * 2, longestPollMs);
    await Promise.race([ended ?? delay(pollMs), delay(pollMs)]);
    if (signal.aborted || deps.inFlight.closing.aborted) break;
  }
  return {
    type: "denied",
    actionId,
    code: "conflict",
    reason: "The same action is being executed; repeat the call to get its outcome.",
    policies: [],
  };
}

/** What is in the record of an action that has ended. */
export async function recordedOutcome(deps: Pick<ActionDeps, "payloads">, row: ActionRow): Promise<ActionOutcome> {
  const { id: actionId, state } = row;
  const result = row.resultEntry === null ? null : ((await deps.payloads.open(row.resultEntry, "result")) as ToolResult | null);
  if (state === "succeeded" && result !== null) return { type: "succeeded", actionId, result };
  if (state === "succeeded")
    return { type: "failed", actionId, code: "not-found", reason: "It succeeded; its result has been erased since." };
  const reason = row.reason ?? `It ended as ${state}.`;
  if (state === "rejected") return { type: "denied", actionId, code: "approval-rejected", reason, policies: [] };
  if (state === "expired") return { type: "denied", actionId, code: "approval-expired", reason, policies: [] };
  if (state === "cancelled" && row.code === null) return { type: "denied", actionId, code: "approval-cancelled", reason, policies: [] };
  if (state === "denied") return { type: "denied", actionId, code: row.code ?? "policy-stop", reason, policies: [] };
  return { type: "failed", actionId, code: row.code ?? "outcome-unknown", reason, ...(result === null ? {} : { result }) };
}
