import type { Approval, People, Refused } from "./approval.ts";
import { decidedAlready, refuse } from "./approval.ts";
import { canAgree, canDecide, eligible, eligibleFor } from "./eligibility.ts";

/** Hands one person's vote on this request to another, who need not be of the team. It must leave a request that can still be granted. */
export function delegateVote(
  approval: Approval,
  { from, to }: { from: string; to: string },
  people: People,
  now: number,
): { type: "delegated"; approval: Approval } | { type: "repeated" } | Refused {
  if (approval.delegations.some((delegation) => delegation.from === from && delegation.to === to)) return { type: "repeated" };
  const decided = decidedAlready(approval, now);
  if (decided !== null) return decided;
  const voters = eligible(approval, people);
  if (!voters.includes(from)) return refuse("approval-not-eligible", "You have no vote on this request to delegate.");
  if (approval.votes.some(({ party }) => party === from)) return refuse("approval-decided", "You have voted already, and it stands.");
  if (!canDecide(people, to)) return refuse("invalid-request", `There is no active person "${to}" to delegate to.`);
  if (to === approval.accountable)
    return refuse("approval-not-eligible", `${to} answers for the agent and cannot vote in anybody's place.`);
  if (voters.includes(to)) return refuse("invalid-request", `${to} can vote on this request already.`);
  if (approval.delegations.some((delegation) => delegation.from === to)) {
    return refuse("invalid-request", `${to} has delegated away a vote on this request.`);
  }
  const delegated = { ...approval, delegations: [...approval.delegations, { from, to, at: now }] };
  const stuck = delegated.requirements.find(
    (requirement) => !canAgree(requirement, eligibleFor(requirement, delegated, people), approval.accountable),
  );
  if (stuck !== undefined) return refuse("invalid-request", `Without your vote, nobody could approve for ${stuck.team}.`);
  return { type: "delegated", approval: delegated };
}
