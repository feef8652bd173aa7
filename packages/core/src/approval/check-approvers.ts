import type { Registry } from "../registry/registry.ts";
import { canDecide } from "./eligibility.ts";

/** What is wrong with who could approve, and at which document of the registry. */
export type ApproverIssue = { kind: "team" | "workflow" | "agent"; name: string; pointer: string; message: string };

type Governed = Pick<Registry, "teams" | "parties" | "agents" | "workflows"> & Partial<Pick<Registry, "policies" | "organisation">>;

/** Everything for which a request could be made that nobody can grant: found when the registry is planned, not when an agent waits. */
export function checkApprovers(registry: Governed): ApproverIssue[] {
  return [
    ...[...registry.teams.values()].flatMap((team) => [...checkQuorum(team.name, registry), ...checkChain(team.name, registry)]),
    ...[...registry.workflows.values()].flatMap((workflow) => {
      const accountable = registry.agents.get(workflow.agent)?.spec.accountable;
      const place = { kind: "workflow", name: workflow.name, pointer: "/approvers" } as const;
      return accountable === undefined ? [] : checkOthers(workflow.approvers, accountable, workflow.agent, registry, place);
    }),
    ...[...registry.agents.values()].flatMap(({ spec }) =>
      gateTeams(spec.policies, registry).flatMap((team) =>
        checkOthers(team, spec.accountable, spec.name, registry, { kind: "agent", name: spec.name, pointer: "/accountable" }),
      ),
    ),
  ];
}

function deciders(team: string, registry: Governed): string[] {
  return (registry.teams.get(team)?.members ?? []).filter((member) => canDecide(registry, member));
}

function checkQuorum(team: string, registry: Governed): ApproverIssue[] {
  const quorum = registry.teams.get(team)?.approval?.quorum ?? 0;
  const have = new Set(deciders(team, registry)).size;
  if (have >= quorum) return [];
  const message = `"${team}" needs ${quorum} active people to approve anything and has ${have}; add members or lower the quorum`;
  return [{ kind: "team", name: team, pointer: "/members", message }];
}

function checkChain(team: string, registry: Governed): ApproverIssue[] {
  const place = { kind: "team", name: team, pointer: "/approval/escalateTo" } as const;
  const own = registry.teams.get(team)?.approval;
  if (own?.escalateTo === undefined) return [];
  if (own.escalateAfter === undefined) {
    return [{ ...place, message: `"${team}" escalates to "${own.escalateTo}", but never: say when with escalateAfter` }];
  }
  const chain = [team];
  for (let next: string | undefined = own.escalateTo; next !== undefined; next = registry.teams.get(next)?.approval?.escalateTo) {
    chain.push(next);
    // A circle that this team only leads to is said of the teams in it.
    if (next === team) return [{ ...place, message: `the escalation of "${team}" goes in a circle: ${chain.join(" → ")}` }];
    if (chain.indexOf(next) < chain.length - 1) return [];
  }
  return [];
}

function checkOthers(
  team: string,
  accountable: string,
  agent: string,
  registry: Governed,
  place: Pick<ApproverIssue, "kind" | "name" | "pointer">,
): ApproverIssue[] {
  const people = deciders(team, registry);
  // A team without any is said of the team.
  if (people.length === 0 || people.some((party) => party !== accountable)) return [];
  const message = `nobody in "${team}" could approve but ${accountable}, who answers for ${agent} and may not be the only one to say yes; add another active member`;
  return [{ ...place, message }];
}

/** Teams that the gates of these policy sets name. Read off the text: this finds slips early, and refusing at run time does not depend on it. */
function gateTeams(policies: readonly string[], { policies: sets, organisation }: Governed): string[] {
  const names = organisation?.guard === undefined ? policies : [...policies, organisation.guard];
  const texts = names.flatMap((name) => sets?.get(name)?.sources.map(({ text }) => text) ?? []);
  return [...new Set(texts.flatMap((text) => [...text.matchAll(/@approval\s*\(\s*"([^"]*)"\s*\)/g)].map(([, team]) => team ?? "")))];
}
