import type { IncomingMessage, ServerResponse } from "node:http";
import type { Person } from "@remit/contract";
import { grantableScopes, grantScopes } from "@remit/core";
import type { ConsentChoice } from "@remit/core";
import { errors, interactionPolicy, Provider } from "oidc-provider";
import type { KoaContextWithOIDC } from "oidc-provider";
import type { SigningKey } from "../keys/key-store.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Logger } from "../log/logger.ts";
import type { Outbound } from "../outbound/outbound.ts";
import type { RegistrySource } from "../registry/registry-source.ts";
import type { AgentSecrets } from "./agent-secrets.service.ts";
import { tokenLifetimeSeconds } from "./agent-token.ts";
import { tokenIssued } from "./callers.service.ts";
import { clientDocumentFetch, ClientDocumentRefused, shownClientName } from "./client-metadata.ts";
import type { ConsentingClient, Consents } from "./consents.service.ts";
import type { FailureLimiter } from "./failure-limiter.ts";
import { unknownActor } from "../http/doorkeeper.ts";
import { html, renderPage } from "../http/html.ts";
import { createOAuthAdapter } from "./oauth-adapter.ts";
import type { OAuthRecords } from "./oauth-records.ts";
import type { RefusalRecorder } from "./refusal-recorder.ts";
import type { Resource } from "./resource.ts";
import type { RevocationList } from "./revocations.ts";
import { agentInForce, agentTerms, claimsOf, consentTerms, registryOf, withStatus } from "./token-terms.ts";
import type { Progress } from "./token-terms.ts";

export type AuthorizationServerOptions = {
  registry: RegistrySource;
  revocations: RevocationList;
  secrets: AgentSecrets;
  failures: FailureLimiter;
  tokenKey: SigningKey;
  resource: Resource;
  ledger: Pick<Ledger, "record">;
  refusals: RefusalRecorder;
  consents: Consents;
  records: OAuthRecords;
  outbound: Outbound;
  /** Signs the cookies of a browser that is in the middle of an authorization. The same on every server. */
  cookieKey: string;
  logger: Logger;
  now: () => Date;
};

/** What a client asks a person for, while the person's browser is on the page about it. */
export type ConsentRequest = { client: ConsentingClient; scopes: string[] };

export type AuthorizationServer = {
  /** Answers a request whose URL is relative to the issuer: `/token`, `/jwks`, `/authorize` and where that goes on. */
  answer(request: IncomingMessage, response: ServerResponse): Promise<void>;
  /** What the browser is being asked, by its cookie; null when that has been answered, has expired or never was. */
  asked(request: IncomingMessage, response: ServerResponse): Promise<ConsentRequest | null>;
  /** Takes the person's answer, null being no. Where the browser goes on, as a path. */
  consented(request: IncomingMessage, response: ServerResponse, answer: { person: Person; choice: ConsentChoice } | null): Promise<string>;
};

/** Where a person is asked, relative to the issuer. */
export const consentPath = "/consent";

/**
 * OAuth 2.1 by oidc-provider. Agents of the registry get tokens with their client credentials. A client that is nobody's agent (an editor,
 * a desktop application) says who it is by a metadata document, and a person lets it act as an agent of his: the token is that agent's.
 * Tokens are JWTs, and are not kept.
 */
export function createAuthorizationServer(options: AuthorizationServerOptions): AuthorizationServer {
  const progress = new WeakMap<object, Progress>();
  const progressOf = (ctx: object): Progress => {
    const made = progress.get(ctx) ?? {};
    progress.set(ctx, made);
    return made;
  };

  const issuerPath = new URL(options.resource.issuer).pathname;
  const isSecure = options.resource.issuer.startsWith("https:");
  const gatewayTokens = {
    audience: options.resource.audience,
    accessTokenTTL: tokenLifetimeSeconds,
    accessTokenFormat: "jwt",
    jwt: { sign: { alg: "ES256" } },
  } as const;

  const provider = new Provider(options.resource.issuer, {
    adapter: (model: string) =>
      createOAuthAdapter(model, { isAgent: (name) => registryOf(options).agents.has(name), records: options.records, now: options.now }),
    jwks: { keys: [{ ...options.tokenKey.privateKey.export({ format: "jwk" }), kid: options.tokenKey.kid, alg: "ES256", use: "sig" }] },
    responseTypes: ["code"],
    scopes: [],
    clientAuthMethods: ["client_secret_basic", "client_secret_post", "none"],
    // What a client's document leaves out.
    clientDefaults: {
      grant_types: ["authorization_code"],
      response_types: ["code"],
      token_endpoint_auth_method: "none",
      id_token_signed_response_alg: "ES256",
    },
    fetch: clientDocumentFetch(options.outbound),
    routes: { authorization: "/authorize", token: "/token", jwks: "/jwks" },
    cookies: {
      keys: [options.cookieKey],
      names: { session: "remit_oauth", interaction: "remit_consent", resume: "remit_resume" },
      short: { signed: true, httpOnly: true, sameSite: "lax", secure: isSecure },
      long: { signed: true, httpOnly: true, sameSite: "lax", secure: isSecure },
    },
    ttl: {
      ClientCredentials: tokenLifetimeSeconds,
      AccessToken: tokenLifetimeSeconds,
      AuthorizationCode: 60,
      Interaction: 600,
      Session: 600,
      RefreshToken: 7 * day,
      Grant: 30 * day,
    },
    // The person's session is Remit's own; that of oidc-provider lasts for one authorization.
    expiresWithSession: () => false,
    issueRefreshToken: (_ctx, client) => client.grantTypeAllowed("refresh_token"),
    rotateRefreshToken: true,
    pkce: { required: () => true },
    interactions: {
      policy: [alwaysAsk],
      url: (_ctx, interaction) => `${issuerPath}${consentPath}/${interaction.uid}`,
    },
    findAccount: async (_ctx, id) =>
      (await options.consents.live(id)) === null ? undefined : { accountId: id, claims: async () => ({ sub: id }) },
    loadExistingGrant: async (ctx) => {
      const grantId = ctx.oidc.result?.consent?.grantId;
      return grantId === undefined ? undefined : ctx.oidc.provider.Grant.find(grantId);
    },
    renderError: (ctx, out, error) => {
      const { body, contentSecurityPolicy } = renderPage("This did not work", errorPage(out, error));
      ctx.type = "html";
      ctx.set("content-security-policy", contentSecurityPolicy);
      ctx.body = body;
    },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      // A token that is bound to a key must be refused without it; the gateway cannot check that yet.
      dPoP: { enabled: false },
      pushedAuthorizationRequests: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      userinfo: { enabled: false },
      clientIdMetadataDocument: {
        enabled: true,
        ack: "draft-02",
        // Strangers do not choose what this server fetches: here a person is logged in, there a person has agreed before. On the page
        // of the consent there is no request of the provider's, for it may have been begun at another server.
        allowFetch: async (ctx: KoaContextWithOIDC | undefined, client) => ctx?.oidc.route !== "token" || options.consents.isKnown(client),
        cacheDuration: { min: 60, max: 3_600 },
      },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => {
          throw new errors.InvalidTarget(`say what the token is for: resource=${options.resource.audience}`);
        },
        getResourceServerInfo: (ctx, resource, client) => {
          if (!options.resource.isGateway(resource)) throw new errors.InvalidTarget("the resource is not the gateway");
          const requested = requestedScopes(ctx);
          if (client.clientIdMetadataDocument === true) return { ...gatewayTokens, scope: requested.join(" ") };
          const agent = agentInForce(registryOf(options), client.clientId);
          const granted = grantScopes(agent.spec, requested);
          if (granted.type === "refused") throw new errors.InvalidScope("the agent is not granted this scope", granted.scope);
          Object.assign(progressOf(ctx), granted);
          return { ...gatewayTokens, scope: grantableScopes(agent.spec).join(" ") };
        },
      },
    },
    formats: {
      customizers: {
        jwt: async (ctx, token, jwt) => {
          const terms = token.kind === "AccessToken" ? await consentTerms(token, options) : agentTerms(token, progressOf(ctx));
          const claims = claimsOf(jwt.payload, terms, options);
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
    // Before it is asked how many were wrong: behind a proxy all come from one address, and nobody's wrong ones may keep an agent out.
    const secret = await options.secrets.check(this.clientId, actual);
    if (secret !== null) {
      progressOf(ctx).secret = secret;
      return true;
    }
    if (options.failures.blocked(caller)) throw tooManyFailures(ctx);
    options.failures.failed(caller);
    return false;
  };

  provider.silent = true;
  // What its own address is, and whether it is reached by TLS, it is told below; a proxy's words come from anybody.
  provider.proxy = true;
  provider.on("grant.error", (ctx, error) => noteRefusal(ctx, error, progressOf(ctx), options));
  provider.on("server_error", (_ctx, error) => options.logger.error({ err: error }, "token endpoint failed"));

  provider.on("authorization.error", (ctx, error) => noteRefusal(ctx, error, progressOf(ctx), options));
  provider.on("grant.revoked", (_ctx, grantId) => {
    options.consents
      .withdrawStolen(grantId)
      .catch((error: unknown) => options.logger.error({ err: error }, "a consent could not be ended"));
  });

  const answer = provider.callback();
  const { host, protocol } = new URL(options.resource.issuer);
  const prepare = (request: IncomingMessage): void => {
    request.headers["x-forwarded-host"] = host;
    request.headers["x-forwarded-proto"] = protocol.slice(0, -1);
    delete request.headers["x-forwarded-for"];
    // It would remember who agreed before, and nobody is to be remembered: a person is asked each time.
    const cookies = (request.headers.cookie ?? "").split(/; */).filter((cookie) => !cookie.startsWith("remit_oauth"));
    request.headers.cookie = cookies.join("; ");
  };

  /** Undefined also where its document, which this server may not have seen before, is not there any more. */
  async function findClient(id: unknown): ReturnType<typeof provider.Client.find> {
    try {
      return await provider.Client.find(String(id));
    } catch (error) {
      if (error instanceof errors.InvalidClient || error instanceof errors.InvalidClientMetadata) return undefined;
      throw error;
    }
  }

  return {
    async answer(request, response) {
      // Its error pages are for browsers, and name its insides.
      request.headers.accept = "application/json";
      prepare(request);
      Object.assign(request, { originalUrl: `${issuerPath}${request.url ?? ""}` });
      await answer(request, response);
    },

    async asked(request, response) {
      prepare(request);
      try {
        const { params } = await provider.interactionDetails(request, response);
        const client = await findClient(params["client_id"]);
        if (client === undefined) return null;
        return {
          client: { id: client.clientId, name: shownClientName(client.clientName), redirectUri: String(params["redirect_uri"]) },
          scopes: typeof params["scope"] === "string" ? params["scope"].split(" ") : [],
        };
      } catch (error) {
        if (error instanceof errors.SessionNotFound) return null;
        throw error;
      }
    },

    async consented(request, response, given) {
      prepare(request);
      const { params } = await provider.interactionDetails(request, response);
      const client = await findClient(params["client_id"]);
      if (given === null || client === undefined) {
        const refusal = { error: "access_denied", error_description: "the person said no" };
        return new URL(await provider.interactionResult(request, response, refusal)).pathname;
      }
      const id = options.consents.newId();
      const grant = new provider.Grant({ accountId: id, clientId: client.clientId });
      grant.addResourceScope(String(params["resource"]), String(params["scope"]));
      const grantId = await grant.save();
      const said = { id: client.clientId, name: shownClientName(client.clientName), redirectUri: String(params["redirect_uri"]) };
      await options.consents.give({ id, grantId, client: said, ...given });
      const result = { login: { accountId: id, remember: false }, consent: { grantId } };
      return new URL(await provider.interactionResult(request, response, result, { mergeWithLastSubmission: false })).pathname;
    },
  };
}

const day = 86_400;

/** Nobody has ever agreed before: each authorization is asked about, and `prompt=none` gets an error. */
const alwaysAsk = new interactionPolicy.Prompt(
  { name: "consent", requestable: true },
  new interactionPolicy.Check("person_must_agree", "a person has to agree", "interaction_required", (ctx) =>
    ctx.oidc.result?.consent === undefined ? interactionPolicy.Check.REQUEST_PROMPT : interactionPolicy.Check.NO_NEED_TO_PROMPT,
  ),
);

function requestedScopes(ctx: KoaContextWithOIDC): string[] {
  const scope = ctx.oidc.params?.["scope"];
  return typeof scope === "string" ? scope.split(" ").filter(Boolean) : [];
}

function errorPage(out: { error: string; error_description?: string | undefined }, error: Error): ReturnType<typeof html> {
  const { cause } = error;
  return html`<h1>This client cannot be connected</h1>
    <p>${out.error_description ?? out.error}</p>
    ${cause instanceof ClientDocumentRefused ? html`<p>${cause.message}.</p>` : null}
    <p>Nothing was given to it. Go back to the client and start again.</p>`;
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
