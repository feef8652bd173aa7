import { createHash, randomBytes } from "node:crypto";
import type { OAuthClientInformationMixed, OAuthTokens } from "@modelcontextprotocol/client";
import type { CredentialSpec, UpstreamSpec } from "@remit/contract";
import { credentialNames, RemitError } from "@remit/contract";
import type { ControlState } from "../control/control-state.ts";
import type { Database } from "../database/database.ts";
import type { MasterKey } from "../keys/master-key.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { RegistrySource } from "../registry/registry-source.ts";
import { grantEntries } from "./grant-entries.ts";
import { messageOf, refusalOf } from "./grant-errors.ts";
import { consentPlace } from "./grant-places.ts";
import type { GrantKey, GrantStore, StoredGrant } from "./grant.store.ts";
import type { KnownSecrets } from "./known-secrets.ts";
import { askedFor } from "./oauth-challenge.ts";
import { beginAuthorization, findServer, isOAuth, redeemCode, scopeFor, upstreamUrl } from "./oauth-session.ts";
import type { OAuthServer, OAuthSource } from "./oauth-session.ts";
import { openSecret, sealSecret } from "./secret-envelope.ts";
import type { TokenKeeper } from "./token-keeper.ts";
import { originOf, scopesOf, withScope } from "./token-keeper.ts";

export type GrantOptions = {
  database: Database;
  store: GrantStore;
  keeper: TokenKeeper;
  masterKey: MasterKey;
  ledger: Pick<Ledger, "append">;
  registry: RegistrySource;
  control: Pick<ControlState, "changed" | "refresh">;
  known: KnownSecrets;
  /** Told after somebody has consented: the upstream is worth another attempt at once. */
  onConnected?: (upstream: string) => void;
  now: () => Date;
};

/** What people ask of authorization servers for Remit, and take back. */
export type Grants = {
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

type Consent = {
  server: OAuthServer;
  client: OAuthClientInformationMixed;
  verifier: string;
  scope: string | null;
  resourceMetadata: string | null;
};

const consentLifetimeMs = 10 * 60_000;

export function createGrants(options: GrantOptions): Grants {
  const { database, store, keeper, known, now } = options;

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
    find,

    async begin({ upstream: name, credential, person, startedBy }) {
      const { upstream, spec } = find(name, credential);
      const { from } = spec;
      const key = { credential: spec.name, upstream: name, person: person ?? "" };
      const fetchFn = keeper.fetchFor(upstream, from);
      const grant = (await store.read(database, key)) ?? (await store.read(database, { ...key, person: "" }));
      const asked = grant ?? (await askedWithout(upstream));
      try {
        const server = await findServer(upstream, from, { resourceMetadata: asked?.resourceMetadata ?? null }, fetchFn);
        // What was granted before is asked for again, or the new consent would be narrower.
        const before = grant === null ? [] : scopesOf(keeper.open(grant));
        const scope = scopeFor(server, from, [...new Set([...before, ...(asked?.wanted ?? [])])]);
        const client = await keeper.clientAt(spec.name, from, server, scope, fetchFn);
        const state = randomBytes(32).toString("base64url");
        const { url, verifier } = await beginAuthorization({ server, client }, { redirectUri: keeper.redirectUri(), scope, state });
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
      // Before the consent is used up: where the control state is stale, the page can be loaded again.
      options.registry.current();
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
        const proof = await keeper.proofFor(spec.from, server);
        tokens = await redeemCode(
          { server, client },
          {
            code,
            iss: iss ?? undefined,
            verifier,
            redirectUri: keeper.redirectUri(),
            proof,
            fetchFn: keeper.fetchFor(upstream, spec.from),
          },
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
        const grant = keeper.renewed(
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

function hashOf(state: string): Buffer {
  return createHash("sha256").update(state).digest();
}
