import type { AgentClaims, Caller, ErrorCode } from "@remit/contract";
import type { Registry } from "../registry/registry.ts";

/** What has been taken back before it ended by itself. */
export type Revocations = {
  tokens: ReadonlySet<string>;
  runs: ReadonlySet<string>;
  /** Client secrets: every token that was got with one of them is taken back with it. */
  secrets: ReadonlySet<string>;
  /** Consents of people to their clients, in the same way. */
  consents: ReadonlySet<string>;
  /** Agents, and the moment (milliseconds since 1970) up to which all their tokens are taken back. */
  agents: ReadonlyMap<string, number>;
};

export const nothingRevoked: Revocations = {
  tokens: new Set(),
  runs: new Set(),
  secrets: new Set(),
  consents: new Set(),
  agents: new Map(),
};

export type Admission = { type: "admitted"; caller: Caller } | { type: "refused"; code: ErrorCode; reason: string };

/**
 * May the holder of a token whose signature, audience and times are good act now? Asked for every request, of the registry and the
 * revocations of that moment, so that suspending an agent, or the human who answers for it, stops its tokens at once.
 */
export function admit(registry: Registry, revocations: Revocations, claims: AgentClaims): Admission {
  const agent = registry.agents.get(claims.agent);
  if (agent === undefined) return refused("token-revoked", `The agent ${claims.agent} is no longer registered`);
  if (agent.suspended !== null) return refused(agent.suspended.code, agent.suspended.reason);
  if (!isActiveHuman(registry, agent.spec.accountable)) {
    return refused("no-accountable-human", `${agent.spec.accountable}, who answers for ${claims.agent}, is not active`);
  }
  if (isRevoked(revocations, claims)) return refused("token-revoked", "The token has been revoked; get a new one");
  if (claims.version !== agent.version || claims.accountable !== agent.spec.accountable) {
    return refused("token-revoked", `${claims.agent} has a new version since this token was issued; get a new one`);
  }
  const { furtherPolicies = [] } = claims;
  const policies = [claims.policy, ...furtherPolicies];
  if (!agent.spec.environments.includes(claims.environment) || !policies.every((policy) => agent.spec.policies.includes(policy))) {
    return refused("token-revoked", `${claims.agent} may no longer act in ${claims.environment} under ${policies.join(" and ")}`);
  }
  return {
    type: "admitted",
    caller: {
      agent: claims.agent,
      version: claims.version,
      accountable: claims.accountable,
      environment: claims.environment,
      policy: claims.policy,
      ...(furtherPolicies.length === 0 ? {} : { furtherPolicies }),
      run: claims.run,
      tokenId: claims.jti,
      expiresAt: claims.exp * 1000,
    },
  };
}

/** The agent's SPIFFE id, one per version. */
export function spiffeId(registry: Registry, agent: string, version: string): string {
  return `spiffe://${registry.organisation.trustDomain}/agent/${agent}/${version}`;
}

function isActiveHuman(registry: Registry, name: string): boolean {
  const party = registry.parties.get(name);
  return party !== undefined && party.active && party.type === "human";
}

function isRevoked(revocations: Revocations, claims: AgentClaims): boolean {
  const before = revocations.agents.get(claims.agent);
  return (
    revocations.tokens.has(claims.jti) ||
    (claims.secret !== null && revocations.secrets.has(claims.secret)) ||
    (claims.consent !== null && revocations.consents.has(claims.consent)) ||
    (claims.run !== null && revocations.runs.has(claims.run.id)) ||
    // `iat` counts whole seconds: a token of the same second may be older, and is taken back too.
    (before !== undefined && claims.iat * 1000 <= before)
  );
}

function refused(code: ErrorCode, reason: string): Admission {
  return { type: "refused", code, reason };
}
