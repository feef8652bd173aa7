import { OAuthError, OAuthErrorCode } from "@modelcontextprotocol/client";
import type { CredentialSpec, UpstreamSpec } from "@remit/contract";
import { RemitError } from "@remit/contract";
import type { Database, Queryable } from "../database/database.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Backend, Material } from "./backend.ts";
import type { LeaseRequest } from "./broker.ts";
import { grantEntries } from "./grant-entries.ts";
import { expiredError, movedError, refusalOf, unavailable, wantedError } from "./grant-errors.ts";
import type { GrantKey, GrantStore, StoredGrant } from "./grant.store.ts";
import type { KnownSecrets } from "./known-secrets.ts";
import { clientCredentialsToken, findServer, isOAuth, refreshTokens, scopeFor } from "./oauth-session.ts";
import type { OAuthSource } from "./oauth-session.ts";
import { askedFor } from "./oauth-challenge.ts";
import type { Kept, TokenKeeper } from "./token-keeper.ts";
import { originOf, scopesOf, withScope } from "./token-keeper.ts";

export type OAuthBackendOptions = {
  database: Database;
  store: GrantStore;
  keeper: TokenKeeper;
  ledger: Pick<Ledger, "append">;
  known: KnownSecrets;
  now: () => Date;
};

/** A token that ends so soon is refreshed before it is used. */
const marginMs = 30_000;
/** One that is so young and was refused all the same is not helped by another. */
const youngMs = 5_000;

/** Lends out what authorization servers have granted, and keeps it fresh: of all servers and calls that find it due, one asks. */
export function createOAuthBackend(options: OAuthBackendOptions): Backend {
  const { database, store, keeper, known, now } = options;

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
    const isMoved = (grant: StoredGrant) => keeper.open(grant)?.origin !== originOf(request.upstream);
    const isClient = credential.from.type === "oauth-client";
    if (found?.state === "connected" && !isClient && isMoved(found)) throw movedError(request.upstream, key);
    const due = (grant: StoredGrant) => isDue(grant) || (isClient && isMoved(grant));
    const fresh = found?.state === "connected" && !due(found) ? found : await keepFresh(credential, request.upstream, key, due);
    const kept = fresh === null ? null : keeper.open(fresh);
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
        const next = keeper.renewed(grant, await askAnew(credential, upstream, grant));
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
    const fetchFn = keeper.fetchFor(upstream, from);
    const kept = keeper.open(grant);
    if (from.type === "oauth-client") {
      const server = await findServer(upstream, from, { resourceMetadata: grant.resourceMetadata }, fetchFn);
      const scope = scopeFor(server, from, [...scopesOf(kept), ...grant.wanted]);
      const client = await keeper.clientAt(credential.name, from, server, scope, fetchFn);
      const tokens = await clientCredentialsToken({ server, client }, scope, await keeper.proofFor(from, server), fetchFn);
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
      from.client === undefined
        ? kept.session.client
        : await keeper.clientAt(credential.name, from, kept.session.server, undefined, fetchFn);
    const session = { ...kept.session, client };
    const tokens = await refreshTokens(session, await keeper.proofFor(from, session.server), fetchFn);
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
    const server = await findServer(upstream, credential.from, grant, keeper.fetchFor(upstream, credential.from)).catch(() => null);
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

  return {
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
        const kept = keeper.open(grant);
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
