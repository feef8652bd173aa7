import { parseNoteKey } from "./note-key.ts";
import type { NoteKey } from "./note-key.ts";
import type { Hash } from "./tree-hash.ts";
import { toHex } from "./utf8.ts";

/** The keys of a ledger as an entry of type `ledger-keys-changed` states them: those that sign from there on, and those that no longer do. */
export type LedgerKeySet = { signing: NoteKey[]; retired: NoteKey[] };

/** Null when the facts of the entry are not that, or name a key of another ledger. */
export function readLedgerKeySet(hash: Hash, origin: string, data: Readonly<Record<string, unknown>>): LedgerKeySet | null {
  const signing = readKeys(hash, origin, data["signing"]);
  const retired = readKeys(hash, origin, data["retired"]);
  return signing === null || retired === null || signing.length === 0 ? null : { signing, retired };
}

function readKeys(hash: Hash, origin: string, value: unknown): NoteKey[] | null {
  if (!Array.isArray(value)) return null;
  const keys = value.map((text) => (typeof text === "string" ? parseNoteKey(hash, text) : null));
  const known = keys.filter((key) => key !== null && key.name === origin);
  return known.length === keys.length ? (known as NoteKey[]) : null;
}

/** A statement about keys and the sequence number of its entry. */
export type LedgerKeyChange = { seq: number; keys: LedgerKeySet };

/**
 * Which keys may have signed the checkpoint of so many entries, and which must have, given what the entries say about keys, in order.
 * A checkpoint that holds the entry in which a key was retired and still bears its signature alone is forged.
 * Before the first statement whatever key is known may sign.
 */
export function ledgerKeysAt(changes: readonly LedgerKeyChange[], size: number): { may: NoteKey[]; must: NoteKey[] } {
  const all = new Map<string, NoteKey>();
  for (const { keys } of changes) for (const key of [...keys.signing, ...keys.retired]) all.set(keyText(key), key);
  const held = changes.filter(({ seq }) => seq < size);
  const last = held.at(-1);
  const retired = new Set(held.flatMap(({ keys }) => keys.retired.map(keyText)));
  return { may: [...all].filter(([text]) => !retired.has(text)).map(([, key]) => key), must: last?.keys.signing ?? [] };
}

/** Null when these keys are enough for a checkpoint of that size; otherwise why not. */
export function whyNotSigned(changes: readonly LedgerKeyChange[], size: number, signedBy: readonly NoteKey[]): string | null {
  if (changes.length === 0) return signedBy.length > 0 ? null : "no key of the ledger has signed it";
  const { may, must } = ledgerKeysAt(changes, size);
  const signed = new Set(signedBy.map(keyText));
  if (!may.some((key) => signed.has(keyText(key)))) return "it is signed by no key that still signed then";
  const missing = must.find((key) => !signed.has(keyText(key)));
  return missing === undefined
    ? null
    : `the signature of ${missing.name}+${toHex(missing.keyId)}, which was to sign it as well, is missing`;
}

function keyText(key: NoteKey): string {
  return `${key.type} ${toHex(key.publicKey)}`;
}
