import type { Id, JsonObject, LoginLink, PartySpec, Person } from "@remit/contract";
import { RemitError } from "@remit/contract";
import type { Database, Transaction } from "../database/database.ts";
import { newId } from "../id/new-id.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { RegistrySource } from "../registry/registry-source.ts";
import type { FailureLimiter } from "./failure-limiter.ts";
import type { IdentityStore, StoredSession } from "./identity.store.ts";
import { unknownActor } from "../http/doorkeeper.ts";
import type { RefusalRecorder } from "./refusal-recorder.ts";
import { hashOf, newSecret } from "./secret-token.ts";

export type StartedLogin = { token: string; expiresAt: Date; person: Person };

/** People: one-time links that become sessions. */
export type Logins = {
  /** @throws RemitError `not-found` when there is no active human of that name. */
  issueLink(party: string, actor: string): Promise<LoginLink>;
  /** Whose link it is, without using it; null when it cannot be used. */
  peek(link: string): Promise<PartySpec | null>;
  /**
   * Uses a link, or its token alone. However many try at once, one gets a session.
   * @throws RemitError `link-invalid` | `link-used` | `rate-exceeded`
   */
  start(link: string, from: string): Promise<StartedLogin>;
  /** The person of a live session, with the roles of this moment. */
  person(sessionToken: string): Promise<Person | null>;
  end(sessionToken: string): Promise<void>;
};

const linkLifetimeMs = 10 * 60_000;
const sessionLifetimeMs = 7 * 86_400_000;
const sessionIdleMs = 12 * 3_600_000;

export function createLogins(options: {
  database: Database;
  store: IdentityStore;
  ledger: Pick<Ledger, "append">;
  registry: RegistrySource;
  refusals: RefusalRecorder;
  failures: FailureLimiter;
  publicUrl: URL;
  now: () => Date;
}): Logins {
  const { database, store, ledger } = options;

  function activeHuman(name: string): PartySpec | null {
    const party = options.registry.current().parties.get(name);
    return party !== undefined && party.active && party.type === "human" ? party : null;
  }

  /** Why a link could not be used, once it is known that it could not. */
  async function refusalOf(hash: Buffer): Promise<{ error: RemitError; link: string | null }> {
    const link = await store.findLink(hash);
    if (link === null) return { error: new RemitError("link-invalid", "This login link is not one of this server"), link: null };
    const [code, reason] =
      link.usedAt !== null
        ? (["link-used", "This login link has been used; ask for a new one"] as const)
        : activeHuman(link.party) === null
          ? (["link-invalid", "The person of this login link is not active"] as const)
          : (["link-invalid", "This login link has expired; ask for a new one"] as const);
    return { error: new RemitError(code, reason), link: link.id };
  }

  /** Uses the link and starts the session, together; null, and nothing has changed, when the link cannot be used. */
  async function useLink(transaction: Transaction, hash: Buffer, party: PartySpec, token: string, at: Date) {
    const used = await store.useLink(transaction, hash, at);
    if (used === null) return null;
    const session: StoredSession = {
      id: newId("session", at.getTime()),
      party: used.party,
      linkId: used.id,
      linkedBy: used.issuedBy,
      startedAt: at,
      expiresAt: new Date(at.getTime() + sessionLifetimeMs),
    };
    await store.addSession(transaction, session, hashOf(token));
    await ledger.append(transaction, [entry("link-used", `party:${used.party}`, session, at)]);
    return { session, person: personOf(session, party) };
  }

  return {
    async issueLink(name, actor) {
      if (activeHuman(name) === null) throw new RemitError("not-found", `There is no active person ${name} in the registry`);
      const at = options.now();
      const token = newSecret("link");
      const expiresAt = new Date(at.getTime() + linkLifetimeMs);
      const id = newId("link", at.getTime());
      await database.transaction(async (transaction) => {
        await store.addLink(transaction, { id, party: name, issuedBy: actor, issuedAt: at, expiresAt, usedAt: null }, hashOf(token));
        await ledger.append(transaction, [
          {
            id: newId("entry", at.getTime()),
            type: "link-issued",
            at: at.toISOString(),
            actor,
            data: { link: id, party: name, expiresAt: expiresAt.toISOString() },
          },
        ]);
      });
      return { url: `${options.publicUrl.href.replace(/\/$/, "")}/login/${token}`, expiresAt: expiresAt.toISOString() };
    },

    async peek(link) {
      const found = await store.findLink(hashOf(tokenOf(link)));
      return found === null || found.usedAt !== null || found.expiresAt <= options.now() ? null : activeHuman(found.party);
    },

    async start(link, from) {
      const at = options.now();
      const linkHash = hashOf(tokenOf(link));
      const token = newSecret("session");
      // Asked first, so that a link is not used up by somebody who may be active again in a minute; and outside of the transaction,
      // because a connection that waits for a second one can wait for ever.
      const found = await store.findLink(linkHash);
      const party = found === null ? null : activeHuman(found.party);
      const started = party && (await database.transaction((transaction) => useLink(transaction, linkHash, party, token, at)));
      if (started === null) {
        // Only now: behind a proxy all come from one address, and nobody's wrong links may keep a person out.
        if (options.failures.blocked(from)) throw new RemitError("rate-exceeded", "Too many wrong login links from here; wait a minute");
        options.failures.failed(from);
        const { error, link: id } = await refusalOf(linkHash);
        const data: JsonObject = id === null ? {} : { link: id };
        await options.refusals.note({ type: "link-refused", actor: unknownActor, code: error.code, reason: error.message, data });
        throw error;
      }
      return { token, expiresAt: started.session.expiresAt, person: started.person };
    },

    async person(sessionToken) {
      const at = options.now();
      const session = await store.liveSession(hashOf(sessionToken), at, new Date(at.getTime() - sessionIdleMs));
      if (session === null) return null;
      const party = activeHuman(session.party);
      if (party === null) return null;
      await store.touchSession(session.id, at);
      return personOf(session, party);
    },

    async end(sessionToken) {
      const at = options.now();
      await database.transaction(async (transaction) => {
        const session = await store.endSession(transaction, hashOf(sessionToken), at);
        if (session !== null) await ledger.append(transaction, [entry("session-ended", `party:${session.party}`, session, at)]);
      });
    },
  };
}

function entry(
  type: "link-used" | "session-ended",
  actor: string,
  session: StoredSession,
  at: Date,
): Parameters<Ledger["append"]>[1][number] {
  return {
    id: newId("entry", at.getTime()),
    type,
    at: at.toISOString(),
    actor,
    data: { session: session.id, link: session.linkId, linkedBy: session.linkedBy },
  };
}

function personOf(session: { id: Id<"session">; linkedBy: string }, party: PartySpec): Person {
  return { party: party.name, roles: party.roles, sessionId: session.id, linkedBy: session.linkedBy };
}

/** People paste whatever the terminal printed: the whole link, or its last part. */
function tokenOf(link: string): string {
  return link.trim().split("/").at(-1) ?? "";
}
