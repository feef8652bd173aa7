import { randomBytes } from "node:crypto";
import { createMasterKey, doesNotOpen } from "../keys/master-key.ts";
import type { MasterKey } from "../keys/master-key.ts";

const keyLength = 32;
/** Nonce, key and tag: so much of what is kept is sealed with the master key itself. */
export const wrappedLength = 12 + keyLength + 16;

/** What the key of a secret is sealed for with the master key. */
export function secretKeyContext(place: string): string {
  return `secret-key ${place}`;
}

/**
 * AES-256-GCM under a key of its own, which is sealed under the master key: `wrapped key || sealed value`. Both are bound to `place`
 * (path and version) as associated data, so that neither opens anywhere else.
 */
export function sealSecret(masterKey: MasterKey, place: string, value: string): Buffer {
  const key = randomBytes(keyLength);
  const plain = Buffer.from(value);
  try {
    return Buffer.concat([masterKey.seal(key, secretKeyContext(place)), createMasterKey(key).seal(plain, `secret ${place}`)]);
  } finally {
    key.fill(0);
    plain.fill(0);
  }
}

/** @throws RemitError `database-mismatch` where this master key, or this place, did not seal it. */
export function openSecret(masterKey: MasterKey, place: string, sealed: Buffer): string {
  const key = masterKey.open(sealed.subarray(0, wrappedLength), secretKeyContext(place));
  if (key === null) throw doesNotOpen(`the secret ${place}`);
  const plain = createMasterKey(key).open(sealed.subarray(wrappedLength), `secret ${place}`);
  key.fill(0);
  if (plain === null) throw doesNotOpen(`the secret ${place}`);
  const value = plain.toString("utf8");
  plain.fill(0);
  return value;
}
