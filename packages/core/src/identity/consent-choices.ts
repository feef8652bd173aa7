import type { Registry } from "../registry/registry.ts";

/** One thing that a person can let a client be: one of the person's agents, in one place, under one policy or those that were asked for. */
export type ConsentChoice = { agent: string; environment: string; policies: string[] };

/**
 * What a person may let a client that asks for `scopes` act as: the agents that the person answers for and that may act now, each where
 * and under what it may. `agent:<name>` and `env:<name>` narrow it; `policy:<name>` says under which, all together. Scopes that are not
 * ours are not granted, and say nothing.
 */
export function consentChoices(registry: Registry, party: string, scopes: readonly string[]): ConsentChoice[] {
  const person = registry.parties.get(party);
  if (person === undefined || !person.active || person.type !== "human") return [];
  const named = (prefix: string): string[] => [
    ...new Set(scopes.filter((scope) => scope.startsWith(prefix)).map((scope) => scope.slice(prefix.length))),
  ];
  const wanted = (prefix: string): ((name: string) => boolean) => {
    const names = named(prefix);
    return (name) => names.length === 0 || names.includes(name);
  };
  const [isAgent, isEnvironment] = [wanted("agent:"), wanted("env:")];
  const policies = named("policy:");
  return [...registry.agents.values()]
    .filter(({ spec, suspended }) => spec.accountable === party && suspended === null && isAgent(spec.name))
    .flatMap(({ spec }) =>
      spec.environments
        .filter(isEnvironment)
        .flatMap((environment) => together(spec.policies, policies).map((chosen) => ({ agent: spec.name, environment, policies: chosen }))),
    );
}

/** What was asked for together is given together or not at all; where nothing was, each by itself. */
function together(held: readonly string[], asked: readonly string[]): string[][] {
  if (asked.length === 0) return held.map((policy) => [policy]);
  return asked.every((policy) => held.includes(policy)) ? [[...asked]] : [];
}
