import { createHash, randomBytes } from "node:crypto";
import { extractWWWAuthenticateParams, OAuthError, OAuthErrorCode } from "@modelcontextprotocol/client";
import type { OAuthClientInformationMixed, OAuthTokens } from "@modelcontextprotocol/client";
import type { CredentialSpec, UpstreamSpec } from "@remit/contract";
import { credentialNames, RemitError } from "@remit/contract";
import type { ControlState } from "../control/control-state.ts";
import type { Database, Queryable } from "../database/database.ts";
import type { MasterKey } from "../keys/master-key.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Outbound } from "../outbound/outbound.ts";
import type { RegistrySource } from "../registry/registry-source.ts";
import type { Backend, Material } from "./backend.ts";
import type { LeaseRequest } from "./broker.ts";
import { grantEntries } from "./grant-entries.ts";
import type { GrantKey, GrantStore, StoredGrant } from "./grant.store.ts";
import type { KnownSecrets } from "./known-secrets.ts";
import type { OAuthFetch } from "./oauth-fetch.ts";
import { createOAuthFetch } from "./oauth-fetch.ts";
import {
  beginAuthorization,
  clientCredentialsToken,
  clientProof,
  findServer,
  isOAuth,
  redeemCode,
  refreshTokens,
  registerAt,
  scopeFor,
  upstreamUrl,
} from "./oauth-session.ts";
import type { ClientProof, OAuthServer, OAuthSession, OAuthSource } from "./oauth-session.ts";
import { openSecret, sealSecret } from "./secret-envelope.ts";
import type { Secrets } from "./secrets.ts";

export type GrantOptions = {
  database: Database;
  store: GrantStore;
  secrets: Pick<Secrets, "open">;
  masterKey: MasterKey;
  ledger: Pick<Ledger, "append">;
  registry: RegistrySource;
  control: Pick<ControlState, "changed" | "refresh">;
  outbound: Outbound;
  known: KnownSecrets;
  /** Where people and authorization servers reach this server. */
  publicUrl: () => URL;
  /** Told after somebody has consented: the upstream is worth another attempt at once. */
  onConnected?: (upstream: string) => void;
  now: () => Date;
};

/** What authorization servers grant: asked for by people and kept fresh. */
export type Grants = {
  backend: Backend;
  /** Where to consent. @throws RemitError */
  begin(about: {
    upstream: string;
    credential: string | null;
    person: string | null;
    startedBy: string;
  }): Promise<{ key: GrantKey; url: string; expiresAt: Date }>;
  /** The consent of a state that has come back, without using it. */
  peek(state: string): Promise<{ key: GrantKey; startedBy: string } | null>;
  /** Redeems what came back. @throws RemitError */
  finish(back: { state: string; code: string | null; error: string | null; iss: string | null }): Promise<GrantKey>;
  list(): Promise<StoredGrant[]>;
  disconnect(key: GrantKey, actor: string): Promise<void>;
  /** The credential of an upstream that wants consent. @throws RemitError `not-found` */
  find(upstream: string, credential: string | null): { upstream: UpstreamSpec; spec: CredentialSpec & { from: OAuthSource } };
};

type Kept = {
  session: OAuthSession;
  resourceMetadata: string | null;
  /** Where the upstream was then: its tokens are shown nowhere else. */
  origin: string | null;
};
type Consent = {
  server: OAuthServer;
  client: OAuthClientInformationMixed;
  verifier: string;
  scope: string | null;
  resourceMetadata: string | null;
};

const consentLifetimeMs = 10 * 60_000;
/** A token that ends so soon is refreshed before it is used. */
const marginMs = 30_000;
/** One that is so young and was refused all the same is not helped by another. */
const youngMs = 5_000;

export function createGrants(options: GrantOptions): Grants {
  const { database, store, known, now } = options;
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

  /** The grant with new tokens, as it is kept. */
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

  /** Who Remit is at an authorization server: as configured, by its metadata document, or as it has registered itself there before. */
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

  /** Whose grant a request goes by. */
  async function keyFor(credential: CredentialSpec, request: LeaseRequest): Promise<GrantKey> {
    const upstream = request.upstream.name;
    if (credential.from.type !== "oauth-user" || credential.from.per === "upstream")
      return { credential: credential.name, upstream, person: "" };
    if (request.person !== null) return { credential: credential.name, upstream, person: request.person };
    // The connection is nobody's: what the upstream offers is read as whoever connected it first.
    const [first] = await store.ofCredential(database, credential.name, upstream);
    return { credential: credential.name, upstream, person: first?.person ?? "" };
  }

  async function issue(credential: CredentialSpec, request: LeaseRequest): Promise<Material> {
    if (!isOAuth(credential)) throw new Error("no OAuth");
    const key = await keyFor(credential, request);
    const found = await store.read(database, key);
    if (found?.state === "expired") throw expiredError(credential, request.upstream, key, found.reason);
    const isMoved = (grant: StoredGrant) => open(grant)?.origin !== originOf(request.upstream);
    const isClient = credential.from.type === "oauth-client";
    if (found?.state === "connected" && !isClient && isMoved(found)) throw movedError(request.upstream, key);
    const due = (grant: StoredGrant) => isDue(grant) || (isClient && isMoved(grant));
    const fresh = found?.state === "connected" && !due(found) ? found : await keepFresh(credential, request.upstream, key, due);
    const kept = fresh === null ? null : open(fresh);
    // Nobody has consented: the upstream is asked without, and its refusal says what it wants.
    if (fresh === null || kept === null)
      return { fields: {}, open: [], rests: [{ path: restOf(key), version: fresh?.version ?? 0 }], expiresAt: null, anonymous: true };
    const { tokens } = kept.session;
    known.add([tokens.refresh_token ?? ""]);
    return {
      fields: { value: tokens.access_token },
      open: [],
      rests: [{ path: restOf(key), version: fresh.version }],
      expiresAt: fresh.expiresAt,
    };
  }

  function isDue({ expiresAt }: StoredGrant): boolean {
    return expiresAt !== null && expiresAt.getTime() - now().getTime() < marginMs;
  }

  /**
   * Gets new tokens where `due` still says so once the grant is held: of all servers and calls that find it due, one asks.
   * @throws RemitError `credential-expired` (recorded, and whoever can mend it is told) | `credential-unavailable` (it may pass)
   */
  async function keepFresh(
    credential: CredentialSpec & { from: OAuthSource },
    upstream: UpstreamSpec,
    key: GrantKey,
    due: (grant: StoredGrant) => boolean,
  ): Promise<StoredGrant | null> {
    const isClient = credential.from.type === "oauth-client";
    if (isClient) await store.ensure(database, key);
    const outcome = await database.transaction(async (transaction): Promise<StoredGrant | RemitError | null> => {
      const grant = await store.lock(transaction, key);
      if (grant === null || (grant.state === "wanted" && !isClient)) return null;
      if (grant.state === "expired") return expiredError(credential, upstream, key, grant.reason);
      if (grant.state === "connected" && !due(grant)) return grant;
      try {
        const next = renewed(grant, await askAnew(credential, upstream, grant));
        await store.save(transaction, next);
        return next;
      } catch (error) {
        const refusal = refusalOf(error);
        if (refusal === null) throw unavailable(upstream, error);
        if (isClient)
          return new RemitError(
            "credential-unavailable",
            `the authorization server refuses Remit's own client for upstream "${upstream.name}" (${refusal}); nothing was sent. Look at the credential "${credential.name}"`,
          );
        await expire(transaction, credential, upstream, grant, refusal);
        return expiredError(credential, upstream, key, refusal);
      }
    });
    if (RemitError.is(outcome)) throw outcome;
    return outcome;
  }

  async function askAnew(credential: CredentialSpec & { from: OAuthSource }, upstream: UpstreamSpec, grant: StoredGrant): Promise<Kept> {
    const { from } = credential;
    const fetchFn = fetchFor(upstream, from);
    const kept = open(grant);
    if (from.type === "oauth-client") {
      const server = await findServer(upstream, from, { resourceMetadata: grant.resourceMetadata }, fetchFn);
      const scope = scopeFor(server, from, [...scopesOf(kept), ...grant.wanted]);
      const client = await clientAt(credential.name, from, server, scope, fetchFn);
      const tokens = await clientCredentialsToken({ server, client }, scope, await proofFor(from, server), fetchFn);
      return {
        session: { server, client, tokens: withScope(tokens, scope) },
        resourceMetadata: grant.resourceMetadata,
        origin: originOf(upstream),
      };
    }
    if (kept === null) throw new Error("nobody has connected it");
    if (kept.session.tokens.refresh_token === undefined) throw new OAuthError(OAuthErrorCode.InvalidGrant, "there is no refresh token");
    known.add([kept.session.tokens.refresh_token]);
    // The client as it is configured now: its secret may have been rotated since.
    const client =
      from.client === undefined ? kept.session.client : await clientAt(credential.name, from, kept.session.server, undefined, fetchFn);
    const session = { ...kept.session, client };
    const tokens = await refreshTokens(session, await proofFor(from, session.server), fetchFn);
    return { ...kept, session: { ...session, tokens } };
  }

  async function expire(
    on: Queryable & Parameters<GrantStore["remove"]>[0],
    credential: CredentialSpec,
    upstream: UpstreamSpec,
    grant: StoredGrant,
    reason: string,
  ): Promise<void> {
    await store.save(on, { ...grant, state: "expired", reason });
    await options.ledger.append(on, grantEntries.expired(grant, { owner: credential.owner, reason, upstream: upstream.name, at: now() }));
  }

  const backend: Backend = {
    issue: ({ credential, request }) => issue(credential, request),

    async renew({ credential, request, until }) {
      if (!isOAuth(credential)) return null;
      const grant = await store.read(database, await keyFor(credential, request));
      // Without a token there is none to outlive; with one, the next has to be another.
      return grant?.state === "connected" ? grant.expiresAt : until;
    },

    async versionsOf(paths) {
      const keys = paths.flatMap((path) => keyOfRest(path) ?? []);
      if (keys.length === 0) return new Map();
      const versions = new Map((await store.versions(database, keys)).map((grant) => [restOf(grant), grant.version]));
      // Where nobody has consented there is no version: 0.
      return new Map(keys.map((key) => [restOf(key), versions.get(restOf(key)) ?? 0]));
    },

    async challenged(request, credential, challenge, rests) {
      if (!isOAuth(credential)) return false;
      const key = await keyFor(credential, request);
      const asked = askedFor(challenge.wwwAuthenticate);
      const { from } = credential;
      const lease = { version: rests.find(({ path }) => path === restOf(key))?.version };
      if (challenge.status === 403 && asked.error !== "insufficient_scope") return false;
      await store.ensure(database, key);
      // Under the lock: a consent that is finished meanwhile is not to be written over.
      const noted = await database.transaction(async (transaction) => {
        const grant = await store.lock(transaction, key);
        if (grant === null) return null;
        const kept = open(grant);
        const granted = scopesOf(kept);
        const wanted = [...new Set([...grant.wanted, ...asked.scopes])].filter((scope) => !granted.includes(scope));
        const note = { ...grant, wanted, resourceMetadata: asked.resourceMetadata ?? grant.resourceMetadata };
        await store.save(transaction, note);
        return { grant: note, kept };
      });
      if (noted === null) return false;
      const { grant, kept } = noted;
      if (from.type === "oauth-client") {
        if (kept !== null && isYoung(grant) && grant.wanted.length === 0) return false;
        await keepFresh(credential, request.upstream, key, ({ version }) => version === grant.version);
        return true;
      }
      // Somebody has consented since the lease was given: there is another to try.
      if (kept !== null && lease.version !== undefined && lease.version !== grant.version) return true;
      if (challenge.status === 403 || kept === null) throw wantedError(request.upstream, key, challenge.status === 403 ? grant.wanted : []);
      return await afterRefusal(credential, request.upstream, grant, kept);
    },
  };

  function isYoung({ refreshedAt }: StoredGrant): boolean {
    return refreshedAt !== null && now().getTime() - refreshedAt.getTime() < youngMs;
  }

  /** A token was not taken. It may have been withdrawn, or the upstream may have moved to another authorization server. */
  async function afterRefusal(
    credential: CredentialSpec & { from: OAuthSource },
    upstream: UpstreamSpec,
    grant: StoredGrant,
    kept: Kept,
  ): Promise<boolean> {
    const server = await findServer(upstream, credential.from, grant, fetchFor(upstream, credential.from)).catch(() => null);
    const moved = server !== null && server.issuer !== kept.session.server.issuer;
    if (!moved && !isYoung(grant)) {
      const { version } = grant;
      await keepFresh(credential, upstream, grant, (current) => current.version === version);
      return true;
    }
    const reason = moved
      ? "the upstream is now guarded by another authorization server"
      : "the upstream does not take the token that was just granted";
    await database.transaction(async (transaction) => {
      const held = await store.lock(transaction, grant);
      if (held?.state === "connected" && held.version === grant.version) await expire(transaction, credential, upstream, held, reason);
    });
    throw expiredError(credential, upstream, grant, reason);
  }

  function find(upstreamName: string, credential: string | null) {
    const registry = options.registry.current();
    const upstream = registry.upstreams.get(upstreamName);
    if (upstream === undefined) throw new RemitError("not-found", `There is no upstream "${upstreamName}"`);
    const specs = credentialNames(upstream).flatMap((name) => {
      const spec = registry.credentials.get(name);
      return spec !== undefined && isOAuth(spec) && spec.from.type === "oauth-user" ? [spec] : [];
    });
    const spec = credential === null ? specs[0] : specs.find(({ name }) => name === credential);
    if (spec === undefined)
      throw new RemitError("not-found", `The upstream "${upstreamName}" has no credential that somebody would have to consent to`);
    return { upstream, spec };
  }

  return {
    backend,
    find,

    async begin({ upstream: name, credential, person, startedBy }) {
      const { upstream, spec } = find(name, credential);
      const { from } = spec;
      const key = { credential: spec.name, upstream: name, person: person ?? "" };
      const fetchFn = fetchFor(upstream, from);
      const grant = (await store.read(database, key)) ?? (await store.read(database, { ...key, person: "" }));
      const asked = grant ?? (await askedWithout(upstream));
      try {
        const server = await findServer(upstream, from, { resourceMetadata: asked?.resourceMetadata ?? null }, fetchFn);
        // What was granted before is asked for again, or the new consent would be narrower.
        const before = grant === null ? [] : scopesOf(open(grant));
        const scope = scopeFor(server, from, [...new Set([...before, ...(asked?.wanted ?? [])])]);
        const client = await clientAt(spec.name, from, server, scope, fetchFn);
        const state = randomBytes(32).toString("base64url");
        const { url, verifier } = await beginAuthorization({ server, client }, { redirectUri: redirectUri(), scope, state });
        const expiresAt = new Date(now().getTime() + consentLifetimeMs);
        const consent: Consent = { server, client, verifier, scope: scope ?? null, resourceMetadata: asked?.resourceMetadata ?? null };
        const hash = hashOf(state);
        await store.forgetConsents(database, now());
        await store.addConsent(database, hash, {
          ...key,
          startedBy,
          expiresAt,
          sealed: sealSecret(options.masterKey, consentPlace(hash), JSON.stringify(consent)),
        });
        return { key, url: url.href, expiresAt };
      } catch (error) {
        if (RemitError.is(error)) throw error;
        throw new RemitError("credential-unavailable", `nobody can consent for upstream "${name}" now: ${known.text(messageOf(error))}`);
      }
    },

    async peek(state) {
      const consent = await store.readConsent(database, hashOf(state));
      return consent === null || consent.expiresAt <= now() ? null : { key: consent, startedBy: consent.startedBy };
    },

    async finish({ state, code, error, iss }) {
      const hash = hashOf(state);
      const consent = await store.takeConsent(database, hash);
      if (consent === null || consent.expiresAt <= now())
        throw new RemitError("link-invalid", "This consent has been used or has expired; begin again");
      const { credential, upstream: name, person, startedBy } = consent;
      const key = { credential, upstream: name, person };
      const { upstream, spec } = find(name, credential);
      const { server, client, verifier, scope, resourceMetadata } = JSON.parse(
        openSecret(options.masterKey, consentPlace(hash), consent.sealed),
      ) as Consent;
      if (error !== null || code === null)
        throw new RemitError("forbidden", `The authorization server says no: ${known.text(error ?? "it gave no code").slice(0, 200)}`);
      let tokens: OAuthTokens;
      try {
        const proof = await proofFor(spec.from, server);
        tokens = await redeemCode(
          { server, client },
          { code, iss: iss ?? undefined, verifier, redirectUri: redirectUri(), proof, fetchFn: fetchFor(upstream, spec.from) },
        );
      } catch (thrown) {
        throw new RemitError(
          "credential-unavailable",
          `The consent could not be redeemed: ${known.text(refusalOf(thrown) ?? messageOf(thrown))}`,
        );
      }
      await store.ensure(database, key);
      await database.transaction(async (transaction) => {
        const held = await store.lock(transaction, key);
        if (held === null) throw new RemitError("conflict", "It was disconnected meanwhile; begin again");
        const grant = renewed(
          { ...held, wanted: [] },
          { session: { server, client, tokens: withScope(tokens, scope ?? undefined) }, resourceMetadata, origin: originOf(upstream) },
        );
        await store.save(transaction, { ...grant, connectedBy: startedBy, connectedAt: now() });
        await options.ledger.append(
          transaction,
          grantEntries.connected(key, { actor: startedBy, issuer: server.issuer, scopes: tokens.scope ?? null, at: now() }),
        );
        await options.control.changed(transaction);
      });
      await options.control.refresh();
      options.onConnected?.(name);
      return key;
    },

    list: () => store.list(database),

    async disconnect(key, actor) {
      await database.transaction(async (transaction) => {
        if (!(await store.remove(transaction, key))) throw new RemitError("not-found", "There is no such connection");
        await options.ledger.append(transaction, grantEntries.disconnected(key, { actor, at: now() }));
        await options.control.changed(transaction);
      });
      await options.control.refresh();
    },
  };

  /** What an upstream says to whoever comes without a token; null where it says nothing to it. */
  async function askedWithout(upstream: UpstreamSpec): Promise<{ wanted: readonly string[]; resourceMetadata: string | null } | null> {
    const url = upstreamUrl(upstream);
    if (url === null) return null;
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list", params: {} });
    const headers = { "content-type": "application/json", accept: "application/json, text/event-stream" };
    const response = await fetch(url, { method: "POST", body, headers, redirect: "error", signal: AbortSignal.timeout(5_000) }).catch(
      () => null,
    );
    await response?.body?.cancel();
    if (response?.status !== 401) return null;
    const { scopes, resourceMetadata } = askedFor(response.headers.get("www-authenticate"));
    return { wanted: scopes, resourceMetadata };
  }
}

function askedFor(header: string | null): { scopes: string[]; resourceMetadata: string | null; error: string | null } {
  const response = new Response(null, { status: 401, headers: header === null ? {} : { "www-authenticate": header } });
  const { scope, resourceMetadataUrl, error } = extractWWWAuthenticateParams(response);
  return {
    scopes: scope?.split(" ").filter((one) => one !== "") ?? [],
    resourceMetadata: resourceMetadataUrl?.href ?? null,
    error: error ?? null,
  };
}

function scopesOf(kept: Kept | null): string[] {
  return kept?.session.tokens.scope?.split(" ").filter((scope) => scope !== "") ?? [];
}

function hashOf(state: string): Buffer {
  return createHash("sha256").update(state).digest();
}

function restOf({ credential, upstream, person }: GrantKey): string {
  return `grant\n${credential}\n${upstream}\n${person}`;
}

function keyOfRest(path: string): GrantKey | null {
  const [kind, credential, upstream, person] = path.split("\n");
  return kind === "grant" && credential !== undefined && upstream !== undefined && person !== undefined
    ? { credential, upstream, person }
    : null;
}

/** A server that says nothing of scopes has granted what was asked for (RFC 6749, 5.1). */
function withScope(tokens: OAuthTokens, scope: string | undefined): OAuthTokens {
  return tokens.scope !== undefined || scope === undefined ? tokens : { ...tokens, scope };
}

function missing(wanted: readonly string[], granted: string | undefined): string[] {
  const has = new Set(granted?.split(" "));
  return wanted.filter((scope) => !has.has(scope));
}

/** What an authorization server refuses for good, by its code; null for what may pass. */
function refusalOf(error: unknown): string | null {
  if (!(error instanceof OAuthError)) return null;
  const passing = new Set<string>([OAuthErrorCode.ServerError, OAuthErrorCode.TemporarilyUnavailable, OAuthErrorCode.TooManyRequests]);
  return passing.has(error.code) ? null : error.code;
}

function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, 300);
}

function unavailable(upstream: UpstreamSpec, error: unknown): RemitError {
  if (RemitError.is(error)) return error;
  const what = error instanceof OAuthError ? error.code : messageOf(error);
  return new RemitError("credential-unavailable", `no token for upstream "${upstream.name}" could be had: ${what}; nothing was sent`);
}

function who({ person }: GrantKey): string {
  return person === "" ? "somebody who operates Remit" : person;
}

function wantedError(upstream: UpstreamSpec, key: GrantKey, more: readonly string[]): RemitError {
  const what = more.length === 0 ? "wants somebody's consent" : `wants consent to more: ${more.join(" ")}`;
  return new RemitError(
    "credential-missing",
    `upstream "${upstream.name}" ${what}; nothing was done. ${who(key)} gives it with: remit connect ${upstream.name}`,
  );
}

function originOf(upstream: UpstreamSpec): string | null {
  return upstreamUrl(upstream)?.origin ?? null;
}

function movedError(upstream: UpstreamSpec, key: GrantKey): RemitError {
  return new RemitError(
    "credential-missing",
    `the consent for upstream "${upstream.name}" was given where it was before, and is shown nowhere else; nothing was sent. ${who(key)} gives another with: remit connect ${upstream.name}`,
  );
}

function expiredError(credential: CredentialSpec, upstream: UpstreamSpec, key: GrantKey, reason: string | null): RemitError {
  return new RemitError(
    "credential-expired",
    `the consent "${credential.name}" for upstream "${upstream.name}" is no longer good (${reason ?? "expired"}); nothing was done. ${who(key)} renews it with: remit connect ${upstream.name}`,
  );
}

/** What tokens, a registration, and what is kept until a consent comes back are sealed as. */
export function grantPlace({ credential, upstream, person }: GrantKey, version: number): string {
  return `grant ${credential} ${upstream} ${person} ${version}`;
}
export function clientPlace(credential: string, issuer: string): string {
  return `client ${credential} ${issuer}`;
}
export function consentPlace(stateHash: Buffer): string {
  return `consent ${stateHash.toString("hex")}`;
}
