import type { RequiredApproval } from "@remit/contract";
import { durationSeconds } from "../calendar/duration.ts";
import type { People, Refused, Requirement } from "./approval.ts";
import { refuse } from "./approval.ts";
import { canAgree, eligibleFor } from "./eligibility.ts";

export type OpenedApproval = { type: "opened"; requirements: Requirement[]; expiresAt: number };

/** Turns what policy asks for into a request that people can grant, or says why nobody could: an unanswerable request is never made. */
export function openApproval(
  request: { accountable: string; approvals: readonly RequiredApproval[]; requestedAt: number },
  people: People,
): OpenedApproval | Refused {
  const requirements: Requirement[] = [];
  let expiresAt = Number.POSITIVE_INFINITY;
  for (const { team: name, gates, expiresAfter } of request.approvals) {
    const approval = people.teams.get(name)?.approval;
    if (approval === undefined) {
      const reason = `Policy asks for approval by the team "${name}", which cannot be asked: there is no such team with an approval block.`;
      return refuse("invalid-configuration", reason);
    }
    const requirement = { team: name, quorum: approval.quorum, gates: [...gates], asked: [{ team: name, at: request.requestedAt }] };
    if (!canAgree(requirement, eligibleFor(requirement, { delegations: [] }, people), request.accountable)) {
      const reason = `Nobody could approve for the team "${name}": it needs ${approval.quorum} active people, not only ${request.accountable}, who answers for the agent.`;
      return refuse("invalid-configuration", reason);
    }
    requirements.push(requirement);
    for (const limit of [approval.expiresAfter, ...(expiresAfter === undefined ? [] : [expiresAfter])]) {
      expiresAt = Math.min(expiresAt, request.requestedAt + durationSeconds(limit) * 1_000);
    }
  }
  // Without a requirement there would be nothing to wait for and everything would count as agreed.
  if (requirements.length === 0) return refuse("invalid-configuration", "An approval was asked for without a team that could give it.");
  return { type: "opened", requirements, expiresAt };
}
