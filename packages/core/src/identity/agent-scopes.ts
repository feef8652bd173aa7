import type { AgentSpec } from "@remit/contract";
import { gatewayScope } from "@remit/contract";

/** Where an agent acts with one token, and under which policies: the first, and any further ones. */
export type ScopeDecision =
  | { type: "granted"; environment: string; policy: string; furtherPolicies: string[]; scope: string }
  /** `scope` is the one that was not granted, or the prefix of which more than one was asked for. */
  | { type: "refused"; scope: string };

/** Everything that an agent may ask a token for. */
export function grantableScopes(agent: AgentSpec): string[] {
  return [gatewayScope, ...agent.environments.map((name) => `env:${name}`), ...agent.policies.map((name) => `policy:${name}`)];
}

/**
 * What a request for `scopes` gets: `env:<name>` chooses one environment and `policy:<name>` one policy or several among what the agent is
 * granted; not chosen means the agent's first. Asking for anything else is refused, not narrowed: an agent that believes it acts in
 * one environment must never act in another. Clients add the scopes of a challenge to those that they have, hence several policies.
 */
export function grantScopes(agent: AgentSpec, scopes: readonly string[]): ScopeDecision {
  const grantable = new Set(grantableScopes(agent));
  const unknown = scopes.find((scope) => !grantable.has(scope));
  if (unknown !== undefined) return { type: "refused", scope: unknown };
  const environment = choose(scopes, "env:", agent.environments);
  const named = namesOf(scopes, "policy:");
  const [policy, ...furtherPolicies] = named.length === 0 ? agent.policies.slice(0, 1) : named;
  if (environment === null || policy === undefined) return { type: "refused", scope: environment === null ? "env:" : "policy:" };
  const scope = [gatewayScope, `env:${environment}`, ...[policy, ...furtherPolicies].map((name) => `policy:${name}`)].join(" ");
  return { type: "granted", environment, policy, furtherPolicies, scope };
}

/** The one that was chosen, else the first; null when more than one was chosen, or there is none. */
function choose(scopes: readonly string[], prefix: string, granted: readonly string[]): string | null {
  const chosen = namesOf(scopes, prefix);
  if (chosen.length > 1) return null;
  return chosen[0] ?? granted[0] ?? null;
}

function namesOf(scopes: readonly string[], prefix: string): string[] {
  return [...new Set(scopes.filter((scope) => scope.startsWith(prefix)).map((scope) => scope.slice(prefix.length)))];
}
