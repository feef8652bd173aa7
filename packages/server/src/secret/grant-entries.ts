import type { NewEntry } from "@remit/contract";
import { newId } from "../id/new-id.ts";
import type { GrantKey } from "./grant.store.ts";

/** What the ledger says of grants: whose, where and why; never what was granted with. */
export const grantEntries = {
  connected(key: GrantKey, about: { actor: string; issuer: string; scopes: string | null; at: Date }): NewEntry[] {
    return [entry("credential-connected", about.actor, about.at, { ...named(key), issuer: about.issuer, scopes: about.scopes })];
  },
  disconnected(key: GrantKey, about: { actor: string; at: Date }): NewEntry[] {
    return [entry("credential-disconnected", about.actor, about.at, named(key))];
  },
  /** Loud: whoever can mend it is told. */
  expired(key: GrantKey, about: { owner: string; reason: string; upstream: string; at: Date }): NewEntry[] {
    const to = key.person === "" ? [about.owner] : [key.person, about.owner];
    const reason = `The consent for ${about.upstream} is no longer good (${about.reason}). Renew it with: remit connect ${about.upstream}`;
    return [
      entry("credential-expired", "service:remit", about.at, { ...named(key), reason: about.reason }),
      entry("notification-recorded", "service:remit", about.at, { to: [...new Set(to)], about: about.upstream, urgent: true, reason }),
    ];
  },
};

function named({ credential, upstream, person }: GrantKey) {
  return { credential, upstream, person: person === "" ? null : person };
}

function entry(type: NewEntry["type"], actor: string, at: Date, data: NewEntry["data"]): NewEntry {
  return { id: newId("entry", at.getTime()), type, at: at.toISOString(), actor, data };
}
