import { createHmac, createSecretKey } from "node:crypto";
import type { KeyObject } from "node:crypto";
import type { NewEntry, Payload } from "@remit/contract";
import { keptKeyName } from "@remit/core";

/** What the ledger calls the keys of data subjects. Random, so that it says nothing about anybody once the mapping is gone. */
export const personPrefix = "person:";

/** What a key is sealed for with the master key. */
export function payloadKeyContext(name: string): string {
  return `payload-key ${name}`;
}

/** The same for a payload's own key, where it is kept because somebody it is about is held. */
export function heldKeyContext(entryId: string, payload: string): string {
  return `held-payload-key ${entryId} ${payload}`;
}

/** How the key of a data subject is asked for. No other key's name begins so. */
export const dataSubjectMark = "about ";

/**
 * The keys that a payload is sealed under: those of everybody it is about, or of what it belongs to where it is about nobody who is named;
 * and the one that everything shares that is kept equally long.
 */
export function keyNamesOf(entry: NewEntry, payload: Payload): string[] {
  const kept = keptKeyName(payload.name, payload.sensitivity ?? "confidential", entry.at);
  const { about = [], subject } = payload;
  return about.length === 0 ? [subject, kept] : [...about.map((name) => `${dataSubjectMark}${name}`), kept];
}

/**
 * The key that it takes all of these to know: the exclusive or of what each makes of the reference by HMAC-SHA-256. While one of them is
 * unknown, it is as good as random.
 */
export function sealingKey(reference: string, parts: readonly KeyObject[]): KeyObject {
  const key = Buffer.alloc(32);
  for (const part of parts) {
    const share = createHmac("sha256", part).update("remit payload ").update(reference).digest();
    for (let index = 0; index < key.length; index += 1) key[index] = (key[index] ?? 0) ^ (share[index] ?? 0);
  }
  return createSecretKey(key);
}
