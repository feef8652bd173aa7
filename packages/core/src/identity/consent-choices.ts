import type { Registry } from "../registry/registry.ts";

/** One thing that a person can let a client be: one of the person's agents, in one place, under one policy. */
export type ConsentChoice = { agent: string; environment: string; policy: string };

/**
 * What a person may let a client that asks for `scopes` act as: the agents that the person answers for and that may act now, each where
 * and under what it may. `agent:<name>`, `env:<name>` and `policy:<name>` narrow it; scopes that are not ours are not granted, and say nothing.
 */
export function consentChoices(registry: Registry, party: string, scopes: readonly string[]): ConsentChoice[] {
  const person = registry.parties.get(party);
  if (person === undefined || !person.active || person.type !== "human") return [];
  const wanted = (prefix: string): ((name: string) => boolean) => {
    const names = new Set(scopes.filter((scope) => scope.startsWith(prefix)).map((scope) => scope.slice(prefix.length)));
    return (name) => names.size === 0 || names.has(name);
  };
  const [isAgent, isEnvironment, isPolicy] = [wanted("agent:"), wanted("env:"), wanted("policy:")];
  return [...registry.agents.values()]
    .filter(({ spec, suspended }) => spec.accountable === party && suspended === null && isAgent(spec.name))
    .flatMap(({ spec }) =>
      spec.environments
        .filter(isEnvironment)
        .flatMap((environment) => spec.policies.filter(isPolicy).map((policy) => ({ agent: spec.name, environment, policy }))),
    );
}
