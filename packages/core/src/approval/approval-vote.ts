import type { Approval, People, Refused, Vote } from "./approval.ts";
import { decidedAlready, refuse } from "./approval.ts";
import { eligible, isSatisfied } from "./eligibility.ts";

export type Ballot = { party: string; sameAs: string | null; vote: Vote["vote"]; digest: string; comment: string | null };

export type VoteResult =
  | { type: "recorded"; approval: Approval }
  /** The same person has said the same before; nothing changes. */
  | { type: "repeated" }
  | Refused;

/**
 * One person's word. One no denies; yes grants once every team has its quorum of different people, the accountable human never alone.
 * What was said is not taken back: the second word of a person is either the same or refused.
 */
export function castVote(approval: Approval, ballot: Ballot, people: People, now: number): VoteResult {
  if (ballot.digest !== approval.digest) {
    return refuse("conflict", "What you decided on is not what this request is about; look at it again. Nothing was recorded.");
  }
  const before = approval.votes.find(({ party }) => party === ballot.party);
  if (before !== undefined) {
    if (before.vote === ballot.vote) return { type: "repeated" };
    return refuse("approval-decided", `You have said ${before.vote} already, and it stands.`);
  }
  const decided = decidedAlready(approval, now);
  if (decided !== null) return decided;
  if (!eligible(approval, people).includes(ballot.party)) {
    const teams = approval.requirements.flatMap(({ asked }) => asked.map(({ team }) => team)).join(", ");
    const away = approval.delegations.find(({ from }) => from === ballot.party);
    const reason = away === undefined ? `only active members of ${teams} may` : `you delegated your vote to ${away.to}`;
    return refuse("approval-not-eligible", `You may not decide this: ${reason}.`);
  }
  const { party, sameAs, vote, comment } = ballot;
  const voted = { ...approval, votes: [...approval.votes, { party, sameAs, vote, comment, at: now }] };
  return { type: "recorded", approval: { ...voted, state: tally(voted, people) } };
}

function tally(approval: Approval, people: People): "pending" | "granted" | "denied" {
  if (approval.votes.some(({ vote }) => vote === "deny")) return "denied";
  return approval.requirements.every((requirement) => isSatisfied(requirement, approval, people)) ? "granted" : "pending";
}
