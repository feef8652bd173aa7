import type { ConsentView, Id, Person } from "@remit/contract";
import { RemitError } from "@remit/contract";
import type { ConsentChoice } from "@remit/core";
import { holdsRole } from "@remit/core";
import type { ControlState } from "../control/control-state.ts";
import type { Database } from "../database/database.ts";
import { newId } from "../id/new-id.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Consent, ConsentStore } from "./consent.store.ts";
import type { OAuthRecords } from "./oauth-records.ts";
import type { RevocationList } from "./revocations.ts";

/** Who a client said it is, and where its codes are sent. */
export type ConsentingClient = { id: string; name: string; redirectUri: string };

/** People's consents to their clients. */
export type Consents = {
  /** The id is chosen by {@link Consents.newId}, because the grant has to name it. */
  give(given: { id: Id<"consent">; grantId: string; client: ConsentingClient; person: Person; choice: ConsentChoice }): Promise<Consent>;
  newId(): Id<"consent">;
  /** Null once it has been withdrawn or has expired. */
  live(id: string): Promise<Consent | null>;
  isKnown(client: string): Promise<boolean>;
  list(reader: Person): Promise<ConsentView[]>;
  /** Ends it, and every token that was got with it. @throws RemitError `not-found` */
  withdraw(id: string, person: Person): Promise<void>;
  /** What was used twice has been stolen from somebody: whatever it belongs to ends. */
  withdrawStolen(grantId: string): Promise<void>;
};

const lifetimeMs = 30 * 86_400_000;

export function createConsents(options: {
  database: Database;
  store: ConsentStore;
  records: OAuthRecords;
  ledger: Pick<Ledger, "append">;
  revocations: RevocationList;
  control: Pick<ControlState, "changed" | "refresh">;
  now: () => Date;
}): Consents {
  const { database, store, ledger, now } = options;

  async function end(consent: Consent, actor: string, reason: string): Promise<void> {
    const at = now();
    await database.transaction(async (transaction) => {
      if (!(await store.withdraw(transaction, consent.id, at))) return;
      await options.revocations.revoke(transaction, "consent", consent.id, reason);
      await options.control.changed(transaction);
      await ledger.append(transaction, [
        {
          id: newId("entry", at.getTime()),
          type: "consent-withdrawn",
          at: at.toISOString(),
          actor,
          data: { consent: consent.id, agent: consent.agent, client: consent.client, party: consent.party, reason },
        },
      ]);
    });
    await options.records.removeGrant(consent.grantId);
    await options.control.refresh();
  }

  return {
    newId: () => newId("consent", now().getTime()),

    async give({ id, grantId, client, person, choice }) {
      const at = now();
      const { id: clientId, name: clientName } = client;
      const expiresAt = new Date(at.getTime() + lifetimeMs);
      const given = {
        id,
        grantId,
        client: clientId,
        clientName,
        party: person.party,
        ...choice,
        givenAt: at,
        expiresAt,
        withdrawnAt: null,
      };
      await database.transaction(async (transaction) => {
        await store.add(transaction, given);
        await ledger.append(transaction, [
          {
            id: newId("entry", at.getTime()),
            type: "consent-given",
            at: at.toISOString(),
            actor: `party:${person.party}`,
            data: {
              consent: id,
              ...choice,
              client: clientId,
              clientName,
              redirect: new URL(client.redirectUri).host,
              session: person.sessionId,
              expiresAt: expiresAt.toISOString(),
            },
          },
        ]);
      });
      return given;
    },

    async live(id) {
      const consent = await store.find(id);
      return consent === null || consent.withdrawnAt !== null || consent.expiresAt <= now() ? null : consent;
    },

    isKnown: (client) => store.isKnown(client, now()),

    async list(reader) {
      const consents = await store.list(holdsRole(reader.roles, ["operator", "auditor"]) ? null : reader.party);
      return consents.map(({ grantId: _grant, givenAt, expiresAt, withdrawnAt, ...consent }) => ({
        ...consent,
        givenAt: givenAt.toISOString(),
        expiresAt: expiresAt.toISOString(),
        withdrawnAt: withdrawnAt?.toISOString() ?? null,
      }));
    },

    async withdraw(id, person) {
      const consent = await store.find(id);
      const mayEnd = consent !== null && (consent.party === person.party || holdsRole(person.roles, ["operator"]));
      if (!mayEnd || consent.withdrawnAt !== null) throw new RemitError("not-found", "There is no such consent in force");
      await end(consent, `party:${person.party}`, `withdrawn by ${person.party}`);
    },

    async withdrawStolen(grantId) {
      const consent = await store.findByGrant(grantId);
      if (consent !== null) await end(consent, "service:remit", "A code or refresh token of it was used twice");
    },
  };
}
