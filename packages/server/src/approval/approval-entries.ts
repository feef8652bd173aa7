import type { EntryType, JsonObject, NewEntry } from "@remit/contract";
import type { Escalation } from "@remit/core";
import type { StoredApproval } from "./approval.store.ts";

export type NewEntryId = () => NewEntry["id"];

/** The clock, where nobody decided. */
export const approvalsActor = "service:approvals";

/** What is recorded of a request. Each function makes the entries of one change, to be committed with it. */
export function createApprovalEntries(newEntryId: NewEntryId) {
  const entry = (
    type: EntryType,
    approval: Pick<StoredApproval, "id" | "actionId" | "runId" | "traceId">,
    actor: string,
    at: number,
    data: JsonObject,
  ): NewEntry => ({
    id: newEntryId(),
    type,
    at: new Date(at).toISOString(),
    actor,
    actionId: approval.actionId,
    approvalId: approval.id,
    ...(approval.runId !== null && { runId: approval.runId }),
    ...(typeof approval.traceId === "string" && { traceId: approval.traceId }),
    data,
  });
  const told = (approval: StoredApproval, about: EntryType, at: number, to: string[]): NewEntry =>
    entry("notification-recorded", approval, approvalsActor, at, { about, to });

  return {
    requested: (approval: StoredApproval, asked: string[]): NewEntry[] => [
      entry("approval-requested", approval, `agent:${approval.agent}`, approval.requestedAt, {
        digest: approval.digest,
        tool: approval.tool,
        effect: approval.effect,
        environment: approval.environment,
        accountable: approval.accountable,
        reason: approval.reason,
        requirements: approval.requirements.map(({ team, quorum, gates }) => ({ team, quorum, gates })),
        expiresAt: new Date(approval.expiresAt).toISOString(),
      }),
      told(approval, "approval-requested", approval.requestedAt, asked),
    ],

    voted(approval: StoredApproval, at: number): NewEntry[] {
      const vote = approval.votes.at(-1);
      if (vote === undefined) return [];
      const { party, sameAs, comment } = vote;
      const actor = `party:${party}`;
      const data = { vote: vote.vote, digest: approval.digest, ...(sameAs !== null && { samePersonAs: sameAs }) };
      const said = entry("approval-voted", approval, actor, at, data);
      // What people write about people can be erased.
      const voted: NewEntry =
        comment === null ? said : { ...said, payloads: [{ name: "comment", subject: actor, value: { text: comment } }] };
      if (approval.state === "denied") return [voted, entry("approval-denied", approval, actor, at, { digest: approval.digest })];
      if (approval.state !== "granted") return [voted];
      const approvedBy = approval.votes.map(({ party }) => party);
      return [
        voted,
        entry("approval-granted", approval, actor, at, { digest: approval.digest, approvedBy, accountable: approval.accountable }),
      ];
    },

    delegated: (approval: StoredApproval, from: string, to: string, at: number): NewEntry[] => [
      entry("approval-delegated", approval, `party:${from}`, at, { from, to }),
      told(approval, "approval-delegated", at, [to]),
    ],

    escalated: (approval: StoredApproval, escalations: readonly (Escalation & { asked: string[] })[], at: number): NewEntry[] =>
      escalations.flatMap(({ team, from, to, asked }) => [
        entry("approval-escalated", approval, approvalsActor, at, { team, from, to }),
        told(approval, "approval-escalated", at, asked),
      ]),

    cancelled: (approval: StoredApproval, actor: string, at: number): NewEntry[] => [
      entry("approval-cancelled", approval, actor, at, { reason: approval.endedReason }),
    ],

    expired: (approval: StoredApproval, unused: boolean, at: number): NewEntry[] => [
      entry("approval-expired", approval, approvalsActor, at, { granted: unused, expiresAt: new Date(approval.expiresAt).toISOString() }),
    ],

    consumed: (approval: Pick<StoredApproval, "id" | "actionId" | "runId" | "traceId">, digest: string, at: number): NewEntry[] => [
      entry("approval-consumed", approval, approvalsActor, at, { digest }),
    ],

    stale: (approval: StoredApproval, at: number): NewEntry[] => [
      entry("approval-stale", approval, approvalsActor, at, { digest: approval.digest, reason: approval.endedReason }),
    ],
  };
}
