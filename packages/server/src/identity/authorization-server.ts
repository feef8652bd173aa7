import { randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AgentClaims, Id } from "@remit/contract";
import { agentClaimsSchema, RemitError } from "@remit/contract";
import { admit, grantableScopes, grantScopes, spiffeId } from "@remit/core";
import type { RegisteredAgent, Registry } from "@remit/core";
import { errors, Provider } from "oidc-provider";
import type { Adapter, KoaContextWithOIDC } from "oidc-provider";
import type { SigningKey } from "../keys/key-store.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Logger } from "../log/logger.ts";
import type { RegistrySource } from "../registry/registry-source.ts";
import { newId } from "../id/new-id.ts";
import type { AgentSecrets } from "./agent-secrets.service.ts";
import { tokenLifetimeSeconds } from "./agent-token.ts";
import { tokenIssued } from "./callers.service.ts";
import type { FailureLimiter } from "./failure-limiter.ts";
import { unknownActor } from "../http/doorkeeper.ts";
import type { RefusalRecorder } from "./refusal-recorder.ts";
import type { Resource } from "./resource.ts";
import type { RevocationList } from "./revocations.ts";

export type AuthorizationServerOptions = {
  registry: RegistrySource;
  revocations: RevocationList;
  secrets: AgentSecrets;
  failures: FailureLimiter;
  tokenKey: SigningKey;
  resource: Resource;
  ledger: Pick<Ledger, "record">;
  refusals: RefusalRecorder;
  logger: Logger;
  now: () => Date;
};

/** What one request to the token endpoint has established so far. */
type Progress = { secret?: Id<"secret">; environment?: string; policy?: string; scope?: string };

/** Answers a request whose URL is relative to the issuer: `/token` and `/jwks`. */
export type AuthorizationServer = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/**
 * OAuth 2.1 client credentials by oidc-provider. The agents of the registry in force are its clients, and nothing else is; it keeps
 * nothing of its own, because the tokens are JWTs.
 */
export function createAuthorizationServer(options: AuthorizationServerOptions): AuthorizationServer {
  const progress = new WeakMap<object, Progress>();
  const progressOf = (ctx: object): Progress => {
    const made = progress.get(ctx) ?? {};
    progress.set(ctx, made);
    return made;
  };

  const provider = new Provider(options.resource.issuer, {
    adapter: (model: string) => agentsAsClients(model, options),
    jwks: { keys: [{ ...options.tokenKey.privateKey.export({ format: "jwk" }), kid: options.tokenKey.kid, alg: "ES256", use: "sig" }] },
    responseTypes: [],
    scopes: [],
    clientAuthMethods: ["client_secret_basic", "client_secret_post"],
    clientDefaults: { grant_types: ["client_credentials"], response_types: [], id_token_signed_response_alg: "ES256" },
    cookies: { keys: [randomBytes(32).toString("base64url")] },
    ttl: { ClientCredentials: tokenLifetimeSeconds },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      // A token that is bound to a key must be refused without it; the gateway cannot check that yet.
      dPoP: { enabled: false },
      pushedAuthorizationRequests: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      userinfo: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => options.resource.audience,
        getResourceServerInfo: (ctx, resource, client) => {
          if (!options.resource.isGateway(resource)) throw new errors.InvalidTarget("the resource is not the gateway");
          const agent = agentInForce(registryOf(options), client.clientId);
          const requested = typeof ctx.oidc.params?.["scope"] === "string" ? ctx.oidc.params["scope"].split(" ") : [];
          const granted = grantScopes(agent.spec, requested.filter(Boolean));
          if (granted.type === "refused") throw new errors.InvalidScope("the agent is not granted this scope", granted.scope);
          Object.assign(progressOf(ctx), granted);
          return {
            scope: grantableScopes(agent.spec).join(" "),
            audience: options.resource.audience,
            accessTokenTTL: tokenLifetimeSeconds,
            accessTokenFormat: "jwt",
            jwt: { sign: { alg: "ES256" } },
          };
        },
      },
    },
    formats: {
      customizers: {
        jwt: async (ctx, token, jwt) => {
          const claims = claimsOf(jwt.payload, progressOf(ctx), options);
          jwt.payload = claims;
          // What the response says was granted.
          token.scope = claims.scope;
          await options.ledger.record(tokenIssued(claims, options.now()));
        },
      },
    },
  });

  // oidc-provider awaits it. The stored client secret is a stand-in that matches nothing: ours are several, hashed, and can be retired.
  provider.Client.prototype.compareClientSecret = async function compareClientSecret(this: { clientId: string }, actual: string) {
    const ctx = Provider.ctx;
    if (ctx === undefined) return false;
    const caller = `${ctx.req.socket.remoteAddress ?? ""} ${this.clientId}`;
    if (options.failures.blocked(caller)) throw tooManyFailures(ctx);
    const secret = await options.secrets.check(this.clientId, actual);
    if (secret === null) {
      options.failures.failed(caller);
      return false;
    }
    progressOf(ctx).secret = secret;
    return true;
  };

  provider.silent = true;
  provider.on("grant.error", (ctx, error) => noteRefusal(ctx, error, progressOf(ctx), options));
  provider.on("server_error", (_ctx, error) => options.logger.error({ err: error }, "token endpoint failed"));

  const answer = provider.callback();
  return async (request, response) => {
    // Its error pages are for browsers, and name its insides.
    request.headers.accept = "application/json";
    await answer(request, response);
  };
}

/** The one thing that oidc-provider may read is a client; whatever else it wanted to keep would mean that a feature is on by mistake. */
function agentsAsClients(model: string, options: AuthorizationServerOptions): Adapter {
  const unused = async (): Promise<never> => {
    throw new Error(`oidc-provider wanted to store a ${model}`);
  };
  return {
    async find(name) {
      if (model !== "Client" || !registryOf(options).agents.has(name)) return undefined;
      return {
        client_id: name,
        client_secret: standIn,
        token_endpoint_auth_method: "client_secret_basic",
        grant_types: ["client_credentials"],
        response_types: [],
        redirect_uris: [],
      };
    },
    upsert: unused,
    findByUserCode: unused,
    findByUid: unused,
    consume: unused,
    destroy: unused,
    revokeByGrantId: unused,
  };
}

/** oidc-provider insists on a secret for a client that has one. Nobody knows this one, not even the next start. */
const standIn = randomBytes(32).toString("base64url");

function registryOf(options: AuthorizationServerOptions): Registry {
  try {
    return options.registry.current();
  } catch (error) {
    throw withStatus(new errors.TemporarilyUnavailable(RemitError.is(error) ? error.message : undefined), 503);
  }
}

function agentInForce(registry: Registry, name: string): RegisteredAgent {
  const agent = registry.agents.get(name);
  if (agent === undefined) throw new errors.UnauthorizedClient("the agent is not registered");
  return agent;
}

function claimsOf(issued: Record<string, unknown>, progress: Progress, options: AuthorizationServerOptions): AgentClaims {
  const registry = registryOf(options);
  const agent = agentInForce(registry, String(issued["client_id"]));
  const claims = agentClaimsSchema.parse({
    iss: issued["iss"],
    aud: issued["aud"],
    iat: issued["iat"],
    exp: issued["exp"],
    client_id: issued["client_id"],
    sub: spiffeId(registry, agent.spec.name, agent.version),
    jti: newId("token", options.now().getTime()),
    scope: progress.scope,
    agent: agent.spec.name,
    version: agent.version,
    accountable: agent.spec.accountable,
    environment: progress.environment,
    policy: progress.policy,
    secret: progress.secret,
    run: null,
  });
  // The same question that every use of the token will be asked: none is issued that would be refused.
  const admission = admit(registry, options.revocations.current(), claims);
  if (admission.type === "refused") throw new errors.UnauthorizedClient(admission.reason);
  return claims;
}

function noteRefusal(
  ctx: KoaContextWithOIDC,
  error: errors.OIDCProviderError,
  progress: Progress,
  options: AuthorizationServerOptions,
): void {
  const client = ctx.oidc.entities.Client?.clientId;
  // `error_detail` says whether the client or the secret was wrong; it is for the ledger, not for the caller.
  const reason = [error.error, error.error_description, error.error_detail].filter(Boolean).join(": ").slice(0, 200);
  void options.refusals.note({
    type: "token-refused",
    actor: progress.secret !== undefined && client !== undefined ? `agent:${client}` : unknownActor,
    code: error.statusCode === 401 || error.statusCode === 429 ? "unauthenticated" : "forbidden",
    reason,
    data: client === undefined ? {} : { clientId: client },
  });
}

function tooManyFailures(ctx: KoaContextWithOIDC): errors.OIDCProviderError {
  ctx.set("Retry-After", "60");
  return withStatus(new errors.CustomOIDCProviderError("slow_down", "too many wrong secrets from here; wait a minute"), 429);
}

function withStatus<Thrown extends errors.OIDCProviderError>(error: Thrown, status: number): Thrown {
  error.status = status;
  error.statusCode = status;
  error.expose = true;
  return error;
}
