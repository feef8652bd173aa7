import type { GrantKey } from "./grant.store.ts";

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
