import { createSecretKey } from "node:crypto";
import { RemitError } from "@remit/contract";
import { parseDataSubject } from "@remit/core";
import type { Queryable } from "../database/database.ts";
import { doesNotOpen } from "../keys/master-key.ts";
import type { MasterKey } from "../keys/master-key.ts";
import { createDataSubjects } from "../ledger/data-subjects.ts";
import { dataSubjectMark, payloadKeyContext } from "../ledger/payload-key-names.ts";
import type { PayloadKeys } from "../ledger/payload-keys.ts";
import type { PrivacyStore, StoredSubject } from "./privacy.store.ts";

/** Somebody, or something, whose payloads can be erased: by the name that people use, and by the one that the ledger uses. */
export type KnownSubject = { subject: string; key: string; firstSeenAt: Date };

/** What belongs to nobody who is named is sealed under the key of one of these. */
const ownKeys = /^(run|agent|queue|party):/;

export function createSubjectKeys({
  store,
  masterKey,
  keys,
}: {
  store: PrivacyStore;
  masterKey: MasterKey;
  keys: Pick<PayloadKeys, "forSealing">;
}) {
  const subjects = createDataSubjects(masterKey);

  function known(stored: StoredSubject): KnownSubject {
    const { key, sealed, wrapped, firstSeenAt } = stored;
    if (sealed === null) return { subject: key, key, firstSeenAt };
    const bytes = masterKey.open(wrapped, payloadKeyContext(key));
    if (bytes === null) throw doesNotOpen("the key of a data subject");
    const name = subjects.open(createSecretKey(bytes), key, sealed);
    return { subject: name ?? "(its name was changed in the database)", key, firstSeenAt };
  }

  return {
    known,
    /** By `customer:C-1042`, `run:<id>`, or the key's own name, `person:…`. @throws RemitError `invalid-request` | `not-found` */
    async find(on: Queryable, text: string): Promise<KnownSubject> {
      const stored =
        ownKeys.test(text) || text.startsWith("person:")
          ? await store.byKey(on, text)
          : await store.byLookup(on, subjects.lookup(`${dataSubjectMark}${parseDataSubject(text)}`));
      if (stored !== null) return known(stored);
      throw new RemitError(
        "not-found",
        `Nothing is held about ${text}: it was never named, or has been erased. See: remit privacy subjects`,
      );
    },
    /** The same, made where nothing is held yet: for what must not be erased from now on. */
    async findOrMake(on: Queryable, text: string): Promise<KnownSubject> {
      const stored = ownKeys.test(text) ? await store.byKey(on, text) : null;
      if (stored !== null) return known(stored);
      if (ownKeys.test(text) || text.startsWith("person:")) throw new RemitError("not-found", `There is no key ${text}`);
      const subject = parseDataSubject(text);
      const name = `${dataSubjectMark}${subject}`;
      const seal = await keys.forSealing(on, [name]);
      return { subject, key: seal([name]).reference, firstSeenAt: new Date() };
    },
  };
}
export type SubjectKeys = ReturnType<typeof createSubjectKeys>;
