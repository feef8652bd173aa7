import type { Decision, Missing, Tier } from "@remit/contract";
import { gatewayScope } from "@remit/contract";

export type MissingQuestion = {
  tier: Tier;
  /** The lowest tier that may do it there. */
  needs: Tier;
  environment: string;
  /** The policy that the token chose, and all that the agent is registered for. */
  policy: string;
  policies: readonly string[];
  /** What one of those policies says of the call, asked as if the agent had this tier. */
  decide: (policy: string, tier: Tier) => Decision;
};

/**
 * Everything that a refused call lacks. Other policies of the agent are looked at, other environments are not: an agent that believes it
 * acts in one environment must never be led to act in another. A policy that forbids the call is obeyed, and no way around it is shown.
 */
export function whatIsMissing(question: MissingQuestion): Missing[] {
  const { tier, needs, environment, policy } = question;
  const missing: Missing[] = [];
  if (tier < needs) missing.push({ type: "tier", has: tier, needs });
  const reached = tier < needs ? needs : tier;
  const own = question.decide(policy, reached);
  if (own.type === "deny" && own.code !== "no-grant") return missing;
  const others = question.policies.filter((name) => name !== policy);
  const [found, decision] = own.type === "deny" ? firstThatGrants(others, (name) => question.decide(name, reached)) : [policy, own];
  if (decision === null) return [...missing, { type: "grant", policies: [...question.policies] }];
  if (found !== policy) missing.push({ type: "scope", scopes: [gatewayScope, `env:${environment}`, `policy:${found}`] });
  if (decision.type === "require-approval") missing.push({ type: "approval", teams: decision.approvals.map(({ team }) => team) });
  return missing;
}

/** The scopes of a token with which the call would go through or be asked for; null where no token helps. */
export function scopesMissing(missing: readonly Missing[]): string[] | null {
  if (missing.some(({ type }) => type === "tier" || type === "grant")) return null;
  return missing.find((one) => one.type === "scope")?.scopes ?? null;
}

/** Prefers a policy that asks nobody; then the agent's own order. */
function firstThatGrants(policies: readonly string[], decide: (name: string) => Decision): [string, Decision] | ["", null] {
  const granting = policies.map((name) => [name, decide(name)] as [string, Decision]).filter(([, decision]) => decision.type !== "deny");
  return granting.find(([, decision]) => decision.type === "allow") ?? granting[0] ?? ["", null];
}
