import type { AgentClaims, Id } from "@remit/contract";
import { agentClaimsSchema, gatewayScope, RemitError } from "@remit/contract";
import { admit, spiffeId } from "@remit/core";
import type { RegisteredAgent, Registry } from "@remit/core";
import { errors } from "oidc-provider";
import { newId } from "../id/new-id.ts";
import type { RegistrySource } from "../registry/registry-source.ts";
import type { Consents } from "./consents.service.ts";
import type { RevocationList } from "./revocations.ts";

/** What one request to the token endpoint has established so far. */
export type Progress = { secret?: Id<"secret">; environment?: string; policy?: string; furtherPolicies?: string[]; scope?: string };

/** Whose token it is to be, where and under what, and by what it was got. */
type Terms = { agent: string; scope: string | undefined } & Pick<Partial<AgentClaims>, "environment" | "policy" | "furtherPolicies"> &
  Pick<AgentClaims, "secret" | "consent">;

export function agentTerms(token: { clientId?: string | undefined }, progress: Progress): Terms {
  const { environment = "", policy = "", furtherPolicies = [], scope, secret = null } = progress;
  return { agent: token.clientId ?? "", environment, policy, furtherPolicies, scope, secret, consent: null };
}

/** A person's client gets a token of the agent that the person chose, as long as the person answers for that agent. */
export async function consentTerms(
  token: { accountId: string },
  options: { registry: RegistrySource; consents: Pick<Consents, "live"> },
): Promise<Terms> {
  const consent = await options.consents.live(token.accountId);
  if (consent === null) throw new errors.InvalidGrant("the consent has been withdrawn or has expired");
  const { agent, environment, policies } = consent;
  const [policy, ...furtherPolicies] = policies;
  if (agentInForce(registryOf(options), agent).spec.accountable !== consent.party) {
    throw new errors.InvalidGrant(`${consent.party} does not answer for ${agent} any more`);
  }
  const scope = [gatewayScope, `env:${environment}`, ...policies.map((name) => `policy:${name}`)].join(" ");
  return { agent, environment, ...(policy === undefined ? {} : { policy }), furtherPolicies, scope, secret: null, consent: consent.id };
}

type ClaimsOptions = { registry: RegistrySource; revocations: Pick<RevocationList, "current">; now: () => Date };

/** The claims of a token that is about to be signed. @throws an error of OAuth where it would be refused as soon as it was shown */
export function claimsOf(issued: Record<string, unknown>, terms: Terms, options: ClaimsOptions): AgentClaims {
  const registry = registryOf(options);
  const agent = agentInForce(registry, terms.agent);
  const claims = agentClaimsSchema.parse({
    iss: issued["iss"],
    aud: issued["aud"],
    iat: issued["iat"],
    exp: issued["exp"],
    client_id: issued["client_id"],
    sub: spiffeId(registry, agent.spec.name, agent.version),
    jti: newId("token", options.now().getTime()),
    scope: terms.scope,
    agent: agent.spec.name,
    version: agent.version,
    accountable: agent.spec.accountable,
    environment: terms.environment,
    policy: terms.policy,
    ...(terms.furtherPolicies === undefined || terms.furtherPolicies.length === 0 ? {} : { furtherPolicies: terms.furtherPolicies }),
    secret: terms.secret,
    consent: terms.consent,
    run: null,
  });
  // The same question that every use of the token will be asked: none is issued that would be refused.
  const admission = admit(registry, options.revocations.current(), claims);
  if (admission.type === "refused") throw new errors.UnauthorizedClient(admission.reason);
  return claims;
}

export function registryOf(options: { registry: RegistrySource }): Registry {
  try {
    return options.registry.current();
  } catch (error) {
    throw withStatus(new errors.TemporarilyUnavailable(RemitError.is(error) ? error.message : undefined), 503);
  }
}

export function agentInForce(registry: Registry, name: string): RegisteredAgent {
  const agent = registry.agents.get(name);
  if (agent === undefined) throw new errors.UnauthorizedClient("the agent is not registered");
  return agent;
}

export function withStatus<Thrown extends errors.OIDCProviderError>(error: Thrown, status: number): Thrown {
  error.status = status;
  error.statusCode = status;
  error.expose = true;
  return error;
}
