import type { Approval, People, Requirement, Vote } from "./approval.ts";

/** Somebody who can answer for a decision: an active human. Agents, services and bodies cannot. */
export function canDecide(people: People, party: string): boolean {
  const spec = people.parties.get(party);
  return spec !== undefined && spec.active && spec.type === "human";
}

/** Who may vote for this requirement now, sorted: the active humans of every team that was asked, with delegations followed. */
export function eligibleFor(requirement: Requirement, approval: Pick<Approval, "delegations">, people: People): string[] {
  const members = new Set(requirement.asked.flatMap(({ team }) => people.teams.get(team)?.members ?? []));
  for (const { from, to } of approval.delegations) if (members.delete(from)) members.add(to);
  return [...members].filter((party) => canDecide(people, party)).sort();
}

/** Who may vote on anything of this request. */
export function eligible(approval: Pick<Approval, "delegations" | "requirements">, people: People): string[] {
  return [...new Set(approval.requirements.flatMap((requirement) => eligibleFor(requirement, approval, people)))].sort();
}

/** Could these people say yes for a requirement? As many as its quorum, and not only who answers for the agent. */
export function canAgree(requirement: Pick<Requirement, "quorum">, parties: readonly string[], accountable: string): boolean {
  return parties.length >= requirement.quorum && parties.some((party) => party !== accountable);
}

/** Have enough different people said yes, and not only who answers for the agent? */
export function isSatisfied(requirement: Requirement, approval: Approval, people: People): boolean {
  const may = new Set(eligibleFor(requirement, approval, people));
  const yes = approval.votes.filter(({ vote, party }) => vote === "approve" && may.has(party));
  const persons = personsOf(yes);
  return persons.length >= requirement.quorum && persons.some((names) => !names.has(approval.accountable));
}

/** The distinct people behind votes. Two names are one person when the one made the other's login. */
function personsOf(votes: readonly Vote[]): Set<string>[] {
  let persons: Set<string>[] = [];
  for (const { party, sameAs } of votes) {
    const names = new Set(sameAs === null ? [party] : [party, sameAs]);
    const same = persons.filter((person) => [...names].some((name) => person.has(name)));
    persons = [...persons.filter((person) => !same.includes(person)), new Set([...names, ...same.flatMap((person) => [...person])])];
  }
  return persons;
}
