import type { SweepFinding, SweepLevel } from "@remit/contract";
import { credentialNames, qualifiedToolName } from "@remit/contract";
import { isActiveHuman } from "../registry/compose-registry.ts";
import type { Registry } from "../registry/registry.ts";

/** What is known beside the registry itself. */
export type SweepFacts = {
  /** Milliseconds since the epoch. */
  now: number;
  /** When each agent's newest secret that is still good was issued, in milliseconds; an agent that has none is not in it. */
  secretIssuedAt: ReadonlyMap<string, number>;
  /** `agent tool`: pairs that were executed within the time that counts as lately. */
  usedLately: ReadonlySet<string>;
  /** When the ledger begins, in milliseconds: what is younger than `lately` cannot be called unused. */
  since: number | null;
  /** Upstreams that run without containment now. */
  uncontained: ReadonlySet<string>;
};

export const latelyDays = 90;
const dayMs = 86_400_000;

/**
 * Looks at every asset with every check that is for its kind. What cannot be applied at all (nobody answers, an empty approver set, a
 * tool without effect) is not asked here: such a registry is never in force, but people leave afterwards.
 */
export function sweep(registry: Registry, facts: SweepFacts): { findings: SweepFinding[]; checks: number } {
  const findings: SweepFinding[] = [];
  let checks = 0;

  function check(level: SweepLevel, name: string, about: { kind: string; name: string }, wrong: string | false, todo: string): void {
    checks += 1;
    if (wrong !== false) findings.push({ level, check: name, ...about, what: wrong, todo });
  }

  function owned(about: { kind: string; name: string }, owner: string): void {
    const isKnown = isActiveHuman(registry.parties.get(owner)) || hasActiveMember(owner);
    check("medium", "owner", about, !isKnown && `${owner}, who owns it, is no active person or team`, "name an active owner");
  }

  function hasActiveMember(team: string): boolean {
    return registry.teams.get(team)?.members.some((member) => isActiveHuman(registry.parties.get(member))) ?? false;
  }

  for (const { spec, suspended, prompt } of registry.agents.values()) {
    const about = { kind: "agent", name: spec.name };
    check("high", "accountable", about, suspended !== null && `it is suspended: ${suspended.reason}`, "name somebody who answers for it");
    check(
      "medium",
      "constraints",
      about,
      spec.constraints.never.length + spec.constraints.asks.length === 0 && "nothing is written down that it must ask for or never do",
      "write what a person would sign under constraints",
    );
    check("low", "prompt", about, prompt === null && "its prompt is not part of its version", "register the prompt with promptFile");
    const issued = facts.secretIssuedAt.get(spec.name);
    const age = issued === undefined ? 0 : Math.floor((facts.now - issued) / dayMs);
    check(
      "medium",
      "secret-age",
      about,
      age > latelyDays && `its newest secret is ${age} days old`,
      `remit agents secret new ${spec.name}, then retire the old one`,
    );
    for (const tool of spec.tools) {
      const registered = registry.tools.get(tool);
      check(
        "high",
        "tool-pinned",
        about,
        registered !== undefined && registered.state !== "accepted" && `${tool} is granted and ${registered.state}: calls are blocked`,
        "remit tools diff, then accept or remove it",
      );
      const isOld = facts.since !== null && facts.now - facts.since > latelyDays * dayMs;
      check(
        "low",
        "unused-grant",
        about,
        isOld && !facts.usedLately.has(`${spec.name} ${tool}`) && `${tool} is granted and was not called in ${latelyDays} days`,
        "take it out of the agent's tools",
      );
    }
    const production = spec.environments.filter((name) => registry.environments.get(name)?.type === "production");
    check(
      "medium",
      "production-reach",
      about,
      production.length > 0 &&
        spec.tier < 3 &&
        `it is registered for ${production.join(", ")}, where its tier lets it only read or propose`,
      "take the environment away, or raise the tier on purpose",
    );
  }

  for (const tool of registry.tools.values()) {
    const about = { kind: "tool", name: tool.qualifiedName };
    owned(about, tool.spec.owner);
    check(
      "medium",
      "data-subjects",
      about,
      (tool.spec.sensitivity === "confidential" || tool.spec.sensitivity === "restricted") &&
        tool.spec.subjects === undefined &&
        `it is ${tool.spec.sensitivity}, and nothing says whom its data is about: it cannot be erased for one person`,
      "declare subjects",
    );
    const isGranted = [...registry.agents.values()].some(({ spec }) => spec.tools.includes(tool.qualifiedName));
    check("low", "ungranted-tool", about, !isGranted && "no agent is granted it", "remove it, or grant it");
  }

  for (const upstream of registry.upstreams.values()) {
    const about = { kind: "upstream", name: upstream.name };
    owned(about, upstream.owner);
    const { transport } = upstream;
    check(
      "high",
      "containment",
      about,
      transport.type === "stdio" && (transport.sandbox?.mode === "off" || facts.uncontained.has(upstream.name))
        ? "its program runs without containment"
        : false,
      "remove sandbox: off, or run it on a machine that can contain it",
    );
    check(
      "medium",
      "open-network",
      about,
      transport.type === "stdio" && transport.sandbox?.network === "open" && "its program may reach the whole network",
      "name the places that it needs",
    );
    const plain = transport.type === "http" ? transport.url : transport.type === "openapi" ? transport.baseUrl : undefined;
    check(
      "high",
      "plain-http",
      about,
      plain !== undefined && plain.startsWith("http:") && !isLoopback(plain) && "what is sent to it is not encrypted on the way",
      "use https",
    );
    check(
      "low",
      "no-credential",
      about,
      (transport.type === "http" || transport.type === "openapi") && credentialNames(upstream).length === 0
        ? "Remit shows it no credential: whoever reaches it may use it"
        : false,
      "name a credential",
    );
    const known = [...registry.tools.values()].some(({ spec }) =>
      qualifiedToolName(spec.upstream, spec.name).startsWith(`${upstream.name}__`),
    );
    check("low", "unused-upstream", about, !known && "none of its tools is registered", "register its tools, or remove it");
  }

  for (const team of registry.teams.values()) {
    if (team.approval === undefined) continue;
    const about = { kind: "team", name: team.name };
    const active = team.members.filter((member) => isActiveHuman(registry.parties.get(member))).length;
    const { quorum } = team.approval;
    check(
      "high",
      "approver-quorum",
      about,
      active < quorum && `it has ${active} active members, and needs ${quorum} to say yes: nothing it is asked can be granted`,
      "add members",
    );
    check(
      "medium",
      "approver-spare",
      about,
      active === quorum && `all of its ${active} active members must answer: one on holiday stops everything`,
      "add somebody, or lower the quorum",
    );
  }

  for (const policy of registry.policies.values()) owned({ kind: "policy", name: policy.spec.name }, policy.spec.owner);
  for (const queue of registry.queues.values()) owned({ kind: "queue", name: queue.name }, queue.owner);
  for (const credential of registry.credentials.values()) owned({ kind: "credential", name: credential.name }, credential.owner);

  const people = [...registry.parties.values()].filter(({ active, type }) => active && type === "human");
  for (const role of ["admin", "operator"] as const) {
    const holders = people.filter(({ roles }) => roles.includes(role) || roles.includes("admin")).length;
    check(
      "medium",
      "two-people",
      { kind: "organisation", name: registry.organisation.name },
      holders < 2 && `${holders} active ${holders === 1 ? "person is" : "people are"} ${role}: releasing a halt takes two`,
      `give the role ${role} to somebody else as well`,
    );
  }
  const hasProduction = [...registry.environments.values()].some(({ type }) => type === "production");
  check(
    "medium",
    "guard",
    { kind: "organisation", name: registry.organisation.name },
    hasProduction && registry.organisation.guard === undefined && "there is production, and no policy set that holds for every agent",
    "name one as guard in remit.yaml",
  );

  const order = { high: 0, medium: 1, low: 2 };
  return { findings: findings.sort((left, right) => order[left.level] - order[right.level]), checks };
}

/** How many of each kind were looked at. */
export function sweptAssets(registry: Registry): Record<string, number> {
  const { parties, teams, environments, upstreams, credentials, tools, agents, policies, queues, workflows } = registry;
  return Object.fromEntries(
    Object.entries({ parties, teams, environments, upstreams, credentials, tools, agents, policies, queues, workflows }).map(
      ([kind, assets]) => [kind, assets.size],
    ),
  );
}

function isLoopback(url: string): boolean {
  return /^http:\/\/(localhost|127\.\d+\.\d+\.\d+|\[::1\])([:/]|$)/.test(url);
}
