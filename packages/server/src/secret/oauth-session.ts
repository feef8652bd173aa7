import type {
  AddClientAuthentication,
  AuthorizationServerMetadata,
  OAuthClientInformationMixed,
  OAuthTokens,
} from "@modelcontextprotocol/client";
import {
  computeScopeUnion,
  createPrivateKeyJwtAuth,
  discoverAuthorizationServerMetadata,
  discoverOAuthProtectedResourceMetadata,
  discoverOAuthServerInfo,
  exchangeAuthorization,
  fetchToken,
  refreshAuthorization,
  registerClient,
  resolveClientMetadata,
  selectResourceURL,
  startAuthorization,
} from "@modelcontextprotocol/client";
import type { CredentialSource, CredentialSpec, UpstreamSpec } from "@remit/contract";
import { RemitError } from "@remit/contract";
import type { OAuthFetch } from "./oauth-fetch.ts";

/** The two ways of OAuth among the sources of credentials. */
export type OAuthSource = Extract<CredentialSource, { type: "oauth-client" | "oauth-user" }>;

/** An authorization server, as it was found for one upstream. Plain JSON, so that it can be kept beside what the server grants. */
export type OAuthServer = {
  issuer: string;
  url: string;
  metadata: AuthorizationServerMetadata | null;
  /** RFC 8707. */
  resource: string | null;
  /** What the upstream's metadata offers. */
  scopes: readonly string[];
};

/** Tokens, and everything that another will be asked for with. */
export type OAuthSession = { server: OAuthServer; client: OAuthClientInformationMixed; tokens: OAuthTokens };

/** Where the upstream's metadata is, as its refusal said. */
type Hint = { resourceMetadata: string | null };

export function isOAuth(spec: CredentialSpec): spec is CredentialSpec & { from: OAuthSource } {
  return spec.from.type === "oauth-client" || spec.from.type === "oauth-user";
}

/** The address that tokens are for; null for what has none. */
export function upstreamUrl({ transport }: UpstreamSpec): URL | null {
  switch (transport.type) {
    case "http":
      return new URL(transport.url);
    case "openapi":
      return transport.baseUrl === undefined ? null : new URL(transport.baseUrl);
    case "stdio":
    case "hook":
      return null;
  }
}

/**
 * Finds out who grants access to an upstream: by its protected resource metadata (RFC 9728) and the server's own (RFC 8414, OpenID Connect
 * Discovery), or by the issuer that the credential names. Metadata of another resource or another issuer is refused.
 */
export async function findServer(upstream: UpstreamSpec, from: OAuthSource, hint: Hint, fetchFn: OAuthFetch): Promise<OAuthServer> {
  const url = upstreamUrl(upstream);
  const resourceMetadataUrl = hint.resourceMetadata ?? undefined;
  if (from.issuer !== undefined) {
    const metadata = (await discoverAuthorizationServerMetadata(from.issuer, { fetchFn })) ?? null;
    const described =
      url === null
        ? undefined
        : await discoverOAuthProtectedResourceMetadata(url, { ...(resourceMetadataUrl && { resourceMetadataUrl }) }, fetchFn).catch(
            () => undefined,
          );
    const resource = from.resource ?? described?.resource ?? url?.href ?? null;
    return { issuer: metadata?.issuer ?? from.issuer, url: from.issuer, metadata, resource, scopes: described?.scopes_supported ?? [] };
  }
  if (url === null) throw new Error("an upstream without an address of its own needs an issuer");
  const info = await discoverOAuthServerInfo(url, {
    fetchFn,
    ...(resourceMetadataUrl === undefined ? {} : { resourceMetadataUrl: new URL(resourceMetadataUrl) }),
  });
  // Throws where the metadata is of another resource: a token for that must not be shown here.
  const checked = await selectResourceURL(url, {} as never, info.resourceMetadata);
  const metadata = info.authorizationServerMetadata ?? null;
  return {
    issuer: metadata?.issuer ?? info.authorizationServerUrl,
    url: info.authorizationServerUrl,
    metadata,
    resource: from.resource ?? (checked === undefined ? url.href : (info.resourceMetadata?.resource ?? null)),
    scopes: info.resourceMetadata?.scopes_supported ?? [],
  };
}

/** The scope parameter: what is configured, else what the upstream asked for, else what it offers; and what was granted before. */
export function scopeFor(server: OAuthServer, from: OAuthSource, wanted: readonly string[]): string | undefined {
  const base = from.scopes.length > 0 ? from.scopes : wanted.length > 0 ? wanted : server.scopes;
  const scope = computeScopeUnion(base.join(" "), wanted.join(" "));
  // Without it some servers give no refresh token, and somebody would have to consent again within the hour.
  const offline = from.type === "oauth-user" && scope !== undefined && server.metadata?.scopes_supported?.includes("offline_access");
  return offline === true ? computeScopeUnion(scope, "offline_access") : scope;
}

export function clientMetadata(redirectUri: string) {
  return resolveClientMetadata({
    redirectUrl: redirectUri,
    clientMetadata: {
      client_name: "Remit",
      redirect_uris: [redirectUri],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
    },
  });
}

export async function registerAt(server: OAuthServer, redirectUri: string, scope: string | undefined, fetchFn: OAuthFetch) {
  return await registerClient(server.url, {
    ...(server.metadata === null ? {} : { metadata: server.metadata }),
    clientMetadata: clientMetadata(redirectUri),
    ...(scope === undefined ? {} : { scope }),
    fetchFn,
  });
}

export async function beginAuthorization(
  { server, client }: Pick<OAuthSession, "server" | "client">,
  options: { redirectUri: string; scope: string | undefined; state: string },
): Promise<{ url: URL; verifier: string }> {
  const { authorizationUrl, codeVerifier } = await startAuthorization(server.url, {
    ...(server.metadata === null ? {} : { metadata: server.metadata }),
    clientInformation: client,
    redirectUrl: options.redirectUri,
    state: options.state,
    ...(options.scope === undefined ? {} : { scope: options.scope }),
    ...(server.resource === null ? {} : { resource: server.resource }),
  });
  return { url: authorizationUrl, verifier: codeVerifier };
}

export type ClientProof = AddClientAuthentication | undefined;

/** A client that signs proves itself by RFC 7523; every other one as the server and its registration say. */
export function clientProof(from: OAuthSource, server: OAuthServer, secret: string | undefined): ClientProof {
  if (from.client?.method !== "private_key_jwt" || secret === undefined) return undefined;
  const { id, algorithm } = from.client;
  return createPrivateKeyJwtAuth({ issuer: id, subject: id, privateKey: secret, alg: algorithm, audience: server.issuer });
}

/** Redeems a code. `iss` is checked by RFC 9207 before anything is sent. */
export async function redeemCode(
  { server, client }: Pick<OAuthSession, "server" | "client">,
  options: { code: string; iss: string | undefined; verifier: string; redirectUri: string; proof: ClientProof; fetchFn: OAuthFetch },
): Promise<OAuthTokens> {
  return await exchangeAuthorization(server.url, {
    ...(server.metadata === null ? {} : { metadata: server.metadata }),
    clientInformation: client,
    authorizationCode: options.code,
    ...(options.iss === undefined ? {} : { iss: options.iss }),
    codeVerifier: options.verifier,
    redirectUri: options.redirectUri,
    ...(server.resource === null ? {} : { resource: server.resource }),
    ...(options.proof === undefined ? {} : { addClientAuthentication: options.proof }),
    fetchFn: options.fetchFn,
  });
}

export async function refreshTokens(
  { server, client, tokens }: OAuthSession,
  proof: ClientProof,
  fetchFn: OAuthFetch,
): Promise<OAuthTokens> {
  if (tokens.refresh_token === undefined) throw new RemitError("credential-expired", "there is no refresh token");
  const fresh = await refreshAuthorization(server.url, {
    ...(server.metadata === null ? {} : { metadata: server.metadata }),
    clientInformation: client,
    refreshToken: tokens.refresh_token,
    ...(server.resource === null ? {} : { resource: server.resource }),
    ...(proof === undefined ? {} : { addClientAuthentication: proof }),
    fetchFn,
  });
  return { ...fresh, ...(fresh.scope === undefined && tokens.scope !== undefined ? { scope: tokens.scope } : {}) };
}

/** A token for Remit itself. */
export async function clientCredentialsToken(
  { server, client }: Pick<OAuthSession, "server" | "client">,
  scope: string | undefined,
  proof: ClientProof,
  fetchFn: OAuthFetch,
): Promise<OAuthTokens> {
  const provider = {
    redirectUrl: undefined,
    clientMetadata: { redirect_uris: [], grant_types: ["client_credentials"] },
    clientInformation: () => client,
    tokens: () => undefined,
    saveTokens: () => undefined,
    redirectToAuthorization: () => undefined,
    saveCodeVerifier: () => undefined,
    codeVerifier: () => "",
    prepareTokenRequest: () => new URLSearchParams({ grant_type: "client_credentials", ...(scope === undefined ? {} : { scope }) }),
    ...(proof === undefined ? {} : { addClientAuthentication: proof }),
  };
  return await fetchToken(provider, server.url, {
    ...(server.metadata === null ? {} : { metadata: server.metadata }),
    ...(server.resource === null ? {} : { resource: server.resource }),
    ...(scope === undefined ? {} : { scope }),
    fetchFn,
  });
}
