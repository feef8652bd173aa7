import type { ApprovalState, Effect, ErrorCode } from "@remit/contract";
import type { Registry } from "../registry/registry.ts";

/** What of the registry decides who may approve. Always as it is now: whoever has left since may no longer say yes. */
export type People = Pick<Registry, "teams" | "parties">;

/** One team that must agree. */
export type Requirement = {
  team: string;
  quorum: number;
  gates: string[];
  /** The team first, then those it was escalated to, each with when it was asked, milliseconds since 1970. Members of all of them stand in. */
  asked: { team: string; at: number }[];
};

export type Vote = {
  party: string;
  /** Another person who is counted as this one, because that person made the link that this one logged in with. */
  sameAs: string | null;
  vote: "approve" | "deny";
  at: number;
  comment: string | null;
};

/** `from` lets `to` vote in his place on this request. */
export type Delegation = { from: string; to: string; at: number };

/** A request for approval, as far as it decides anything. */
export type Approval = {
  state: ApprovalState;
  digest: string;
  accountable: string;
  effect: Effect;
  requirements: Requirement[];
  votes: Vote[];
  delegations: Delegation[];
  requestedAt: number;
  expiresAt: number;
};

/** An answer that changes nothing. */
export type Refused = { type: "refused"; code: ErrorCode; reason: string };

export function refuse(code: ErrorCode, reason: string): Refused {
  return { type: "refused", code, reason };
}

/** Why nothing more can be decided of a request, or null while it can. */
export function decidedAlready(approval: Approval, now: number): Refused | null {
  switch (approval.state) {
    case "pending":
      return now >= approval.expiresAt ? refuse("approval-expired", "The request has expired; nothing was executed.") : null;
    case "expired":
      return refuse("approval-expired", "The request has expired; nothing was executed.");
    case "cancelled":
      return refuse("approval-cancelled", "The request was cancelled; nothing was executed.");
    case "denied":
      return refuse("approval-decided", "The request was denied already; nothing was executed.");
    case "granted":
    case "consumed":
    case "stale":
      return refuse("approval-decided", "The request was approved already.");
  }
}
