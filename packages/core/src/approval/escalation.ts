import { durationSeconds } from "../calendar/duration.ts";
import type { Approval, People, Requirement } from "./approval.ts";

export type Escalation = { team: string; from: string; to: string };

/** When the next team will be asked, unless somebody answers before; null: there is none to ask. */
export function nextEscalation(approval: Approval, people: People): number | null {
  if (approval.state !== "pending") return null;
  const due = approval.requirements.flatMap((requirement) => nextOf(requirement, approval, people)?.at ?? []);
  return due.length === 0 ? null : Math.min(...due);
}

/** Asks the next team of every requirement that nobody has answered in time. After a long absence several steps are due at once. */
export function escalate(approval: Approval, people: People, now: number): { approval: Approval; escalations: Escalation[] } {
  const escalations: Escalation[] = [];
  const requirements = approval.requirements.map((requirement) => {
    let current = requirement;
    for (;;) {
      const next = nextOf(current, approval, people);
      if (approval.state !== "pending" || next === null || next.at > now) return current;
      escalations.push({ team: requirement.team, from: next.from, to: next.to });
      // As of when it was due, so that a server that was away asks as many teams as one that was there.
      current = { ...current, asked: [...current.asked, { team: next.to, at: next.at }] };
    }
  });
  return { approval: { ...approval, requirements }, escalations };
}

function nextOf(requirement: Requirement, approval: Approval, people: People): { from: string; to: string; at: number } | null {
  const last = requirement.asked.at(-1);
  const chain = last && people.teams.get(last.team)?.approval;
  if (last === undefined || chain?.escalateTo === undefined || chain.escalateAfter === undefined) return null;
  // A chain that comes back to a team would ask for ever.
  if (requirement.asked.some(({ team }) => team === chain.escalateTo)) return null;
  const members = new Set(requirement.asked.flatMap(({ team }) => people.teams.get(team)?.members ?? []));
  const stands = (party: string): boolean =>
    members.has(party) || approval.delegations.some(({ from, to }) => to === party && members.has(from));
  if (approval.votes.some(({ party }) => stands(party))) return null;
  return { from: last.team, to: chain.escalateTo, at: last.at + durationSeconds(chain.escalateAfter) * 1_000 };
}
