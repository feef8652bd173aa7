import type { EntryType, HoldView, Id, IdKind, JsonObject, Person } from "@remit/contract";
import { RemitError } from "@remit/contract";
import { mayRelease } from "@remit/core";
import type { Database } from "../database/database.ts";
import { pageOf } from "../http/page.ts";
import type { Page } from "../http/page.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { PrivacyStore, StoredHold } from "./privacy.store.ts";
import type { SubjectKeys } from "./subject-keys.ts";

/** Holding what must not be erased or purged. */
export type Holds = {
  /** `subject` null: everything. Also of somebody about whom nothing is held yet. @throws RemitError `conflict` */
  place(person: Person, hold: { name: string; subject: string | null; reason: string }): Promise<HoldView>;
  list(query: { all: boolean; after: string | null; limit: number }): Promise<Page<HoldView>>;
  /** Asks for a release, or gives the second voice. @throws RemitError `not-found` | `conflict` | `forbidden` */
  release(person: Person, idOrName: string, reason: string): Promise<HoldView>;
};

export function createHolds(options: {
  database: Database;
  store: PrivacyStore;
  subjects: SubjectKeys;
  ledger: Pick<Ledger, "append">;
  now: () => Date;
  newId: <K extends IdKind>(kind: K) => Id<K>;
}): Holds {
  const { database, store, subjects, ledger, now, newId } = options;

  const entry = (type: EntryType, hold: StoredHold, person: Person, reason: string, more: JsonObject = {}) => ({
    id: newId("entry"),
    type,
    at: now().toISOString(),
    actor: `party:${person.party}`,
    data: { holdId: hold.id, name: hold.name, key: hold.key, linkedBy: person.linkedBy, ...more },
    payloads: [{ name: "request", subject: `party:${person.party}`, value: { reason } }],
  });

  async function view(hold: StoredHold): Promise<HoldView> {
    const stored = hold.key === null ? null : await store.byKey(database, hold.key);
    return {
      id: hold.id,
      name: hold.name,
      subject: hold.key === null ? null : stored === null ? hold.key : subjects.known(stored).subject,
      reason: hold.reason,
      placedBy: hold.placedBy,
      placedAt: hold.placedAt.toISOString(),
      releaseRequestedBy: hold.releaseRequestedBy,
      releasedAt: hold.releasedAt?.toISOString() ?? null,
    };
  }

  return {
    async place(person, { name, subject, reason }) {
      const hold = await database.transaction(async (transaction): Promise<StoredHold> => {
        const made: StoredHold = {
          id: newId("hold"),
          name,
          reason,
          key: subject === null ? null : (await subjects.findOrMake(transaction, subject)).key,
          placedBy: person.party,
          placedAt: now(),
          releaseRequestedBy: null,
          releaseRequestedLink: null,
          releasedAt: null,
        };
        await store.insertHold(transaction, made);
        await ledger.append(transaction, [entry("hold-placed", made, person, reason)]);
        return made;
      });
      return view(hold);
    },

    async list({ all, after, limit }) {
      const page = pageOf(await store.holds(database, { all, after, limit: limit + 1 }), limit, ({ id }) => [id]);
      return { items: await Promise.all(page.items.map(view)), next: page.next };
    },

    async release(person, idOrName, reason) {
      const after = await database.transaction(async (transaction): Promise<StoredHold> => {
        const hold = await store.lockHold(transaction, idOrName);
        if (hold === null) throw new RemitError("not-found", `There is no hold ${idOrName}; see remit privacy hold list`);
        if (hold.releasedAt !== null) throw new RemitError("conflict", `The hold "${hold.name}" has been released already`);
        const first =
          hold.releaseRequestedBy === null ? null : { party: hold.releaseRequestedBy, linkedBy: hold.releaseRequestedLink ?? "" };
        switch (mayRelease(first, person)) {
          case "first":
            await store.requestRelease(transaction, hold.id, { party: person.party, link: person.linkedBy, reason });
            await ledger.append(transaction, [entry("hold-release-requested", hold, person, reason)]);
            return { ...hold, releaseRequestedBy: person.party };
          case "same-person":
            throw new RemitError("forbidden", "You asked for this release yourself; it takes a second person");
          case "second": {
            const at = now();
            await store.release(transaction, hold.id, person.party, at);
            // What was kept for this hold alone, beyond its schedule, goes with it.
            const dropped = await store.dropHeldKeys(transaction);
            await ledger.append(transaction, [entry("hold-released", hold, person, reason, { dropped })]);
            return { ...hold, releasedAt: at };
          }
        }
      });
      return view(after);
    },
  };
}
