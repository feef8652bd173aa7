import type { OAuthClientInformationMixed, OAuthTokens } from "@modelcontextprotocol/client";
import type { UpstreamSpec } from "@remit/contract";
import type { Database } from "../database/database.ts";
import type { MasterKey } from "../keys/master-key.ts";
import type { Outbound } from "../outbound/outbound.ts";
import { clientPlace, grantPlace } from "./grant-places.ts";
import type { GrantStore, StoredGrant } from "./grant.store.ts";
import type { OAuthFetch } from "./oauth-fetch.ts";
import { createOAuthFetch } from "./oauth-fetch.ts";
import { clientProof, registerAt, upstreamUrl } from "./oauth-session.ts";
import type { ClientProof, OAuthServer, OAuthSession, OAuthSource } from "./oauth-session.ts";
import { openSecret, sealSecret } from "./secret-envelope.ts";
import type { Secrets } from "./secrets.ts";

export type TokenKeeperOptions = {
  database: Database;
  store: Pick<GrantStore, "readClient" | "saveClient">;
  secrets: Pick<Secrets, "open">;
  masterKey: MasterKey;
  outbound: Outbound;
  /** Where people and authorization servers reach this server. */
  publicUrl: () => URL;
  now: () => Date;
};

/** What an authorization server has granted, as it is kept. */
export type Kept = {
  session: OAuthSession;
  resourceMetadata: string | null;
  /** Where the upstream was then: its tokens are shown nowhere else. */
  origin: string | null;
};

/** What authorization servers have granted, as it is sealed and opened, and who Remit is to them. */
export type TokenKeeper = {
  /** Null where nothing is granted. */
  open(grant: StoredGrant): Kept | null;
  /** The grant with new tokens, as it is kept. */
  renewed(grant: StoredGrant, kept: Kept): StoredGrant;
  proofFor(from: OAuthSource, server: OAuthServer): Promise<ClientProof>;
  /** Who Remit is at an authorization server: as configured, by its metadata document, or as it has registered itself there before. */
  clientAt(
    credential: string,
    from: OAuthSource,
    server: OAuthServer,
    scope: string | undefined,
    fetchFn: OAuthFetch,
  ): Promise<OAuthClientInformationMixed>;
  /** Reaches the upstream and the issuer that are named, and else the Internet alone. */
  fetchFor(upstream: UpstreamSpec, from: OAuthSource): OAuthFetch;
  /** Where consents come back to. */
  redirectUri(): string;
};

export function createTokenKeeper(options: TokenKeeperOptions): TokenKeeper {
  const { database, store, now } = options;
  const redirectUri = () => new URL("/connect/callback", options.publicUrl()).href;

  function fetchFor(upstream: UpstreamSpec, from: OAuthSource): OAuthFetch {
    const trusted = [upstreamUrl(upstream)?.origin, from.issuer === undefined ? undefined : new URL(from.issuer).origin];
    return createOAuthFetch(
      options.outbound,
      trusted.filter((origin) => origin !== undefined),
    );
  }

  function open(grant: StoredGrant): Kept | null {
    if (grant.sealed === null) return null;
    return JSON.parse(openSecret(options.masterKey, grantPlace(grant, grant.version), grant.sealed)) as Kept;
  }

  function renewed(grant: StoredGrant, kept: Kept): StoredGrant {
    const version = grant.version + 1;
    const { tokens } = kept.session;
    const at = now();
    return {
      ...grant,
      state: "connected",
      version,
      sealed: sealSecret(options.masterKey, grantPlace(grant, version), JSON.stringify(kept)),
      expiresAt: tokens.expires_in === undefined ? null : new Date(at.getTime() + tokens.expires_in * 1_000),
      reason: null,
      wanted: missing(grant.wanted, tokens.scope),
      resourceMetadata: kept.resourceMetadata,
      refreshedAt: at,
    };
  }

  async function clientSecret(from: OAuthSource): Promise<string | undefined> {
    return from.client?.secret === undefined ? undefined : (await options.secrets.open(from.client.secret)).value.trim();
  }

  async function proofFor(from: OAuthSource, server: OAuthServer): Promise<ClientProof> {
    return clientProof(from, server, await clientSecret(from));
  }

  async function clientAt(
    credential: string,
    from: OAuthSource,
    server: OAuthServer,
    scope: string | undefined,
    fetchFn: OAuthFetch,
  ): Promise<OAuthClientInformationMixed> {
    if (from.client !== undefined) {
      const { id, method } = from.client;
      const secret = method === "private_key_jwt" ? undefined : await clientSecret(from);
      return {
        client_id: id,
        ...(secret === undefined ? {} : { client_secret: secret }),
        ...(method === undefined ? {} : { token_endpoint_auth_method: method }),
      };
    }
    const publicUrl = options.publicUrl();
    if (server.metadata?.["client_id_metadata_document_supported"] === true && publicUrl.protocol === "https:") {
      return { client_id: new URL("/connect/client-metadata.json", publicUrl).href, token_endpoint_auth_method: "none" };
    }
    const key = { credential, issuer: server.issuer, redirectUri: redirectUri() };
    const place = clientPlace(credential, server.issuer);
    const known = await store.readClient(database, key);
    if (known !== null) return JSON.parse(openSecret(options.masterKey, place, known)) as OAuthClientInformationMixed;
    const registered = await registerAt(server, key.redirectUri, scope, fetchFn);
    await store.saveClient(database, key, sealSecret(options.masterKey, place, JSON.stringify(registered)), now());
    return registered;
  }

  return { open, renewed, proofFor, clientAt, fetchFor, redirectUri };
}

export function scopesOf(kept: Kept | null): string[] {
  return kept?.session.tokens.scope?.split(" ").filter((scope) => scope !== "") ?? [];
}

/** A server that says nothing of scopes has granted what was asked for (RFC 6749, 5.1). */
export function withScope(tokens: OAuthTokens, scope: string | undefined): OAuthTokens {
  return tokens.scope !== undefined || scope === undefined ? tokens : { ...tokens, scope };
}

function missing(wanted: readonly string[], granted: string | undefined): string[] {
  const has = new Set(granted?.split(" "));
  return wanted.filter((scope) => !has.has(scope));
}

export function originOf(upstream: UpstreamSpec): string | null {
  return upstreamUrl(upstream)?.origin ?? null;
}
