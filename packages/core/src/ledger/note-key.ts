import { fromBase64, toBase64 } from "./base64.ts";
import { cosignedText, cosignedTree, splitTimestamp } from "./cosignature.ts";
import type { NoteVerifier } from "./note.ts";
import type { Hash } from "./tree-hash.ts";
import { concatBytes, toHex, utf8 } from "./utf8.ts";

/**
 * What a key of a note signs, by the byte that C2SP assigned to it: a note's text, or a checkpoint with the time at which it was seen.
 * @see https://c2sp.org/signed-note https://c2sp.org/tlog-cosignature
 */
export const noteKeyTypes = {
  ed25519: { byte: 0x01, algorithm: "Ed25519", publicKeyLength: 32, signatureLength: 64 },
  "ed25519-cosignature": { byte: 0x04, algorithm: "Ed25519", publicKeyLength: 32, signatureLength: 8 + 64 },
  "ml-dsa-44-cosignature": { byte: 0x06, algorithm: "ML-DSA-44", publicKeyLength: 1312, signatureLength: 8 + 2420 },
} as const;
export type NoteKeyType = keyof typeof noteKeyTypes;
export type NoteAlgorithm = (typeof noteKeyTypes)[NoteKeyType]["algorithm"];

/** A public key with the name that it signs under. Name and id together tell it from every other. */
export type NoteKey = { name: string; type: NoteKeyType; publicKey: Uint8Array; keyId: Uint8Array };

/** Whether the owner of a raw public key signed these bytes. False, and never an exception, for what is malformed. */
export type VerifySignature = (algorithm: NoteAlgorithm, publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;

/** The cryptography of notes, passed in: the core has none of its own. */
export type NoteCrypto = { hash: Hash; verify: VerifySignature };

const keyIdLength = 4;
const keyName = /^[!-*,-~]{1,255}$/;

/** @throws RangeError for a name that cannot name a key, or a public key of another length than its type has. */
export function noteKey(hash: Hash, name: string, type: NoteKeyType, publicKey: Uint8Array): NoteKey {
  const { byte, publicKeyLength } = noteKeyTypes[type];
  if (!keyName.test(name)) throw new RangeError(`"${name}" cannot name a key: visible ASCII without "+" is expected`);
  if (publicKey.length !== publicKeyLength) throw new RangeError(`A public key of type ${type} has ${publicKeyLength} bytes`);
  const keyId = hash(concatBytes(utf8(name), Uint8Array.of(0x0a, byte), publicKey)).slice(0, keyIdLength);
  return { name, type, publicKey, keyId };
}

/** The key as a text, a "vkey": `<name>+<key id>+<base64 of type and public key>`. */
export function formatNoteKey(key: NoteKey): string {
  return `${key.name}+${toHex(key.keyId)}+${toBase64(concatBytes(Uint8Array.of(noteKeyTypes[key.type].byte), key.publicKey))}`;
}

/** Null for what is no key, for a type that is not known, and where the id is not that of the key. */
export function parseNoteKey(hash: Hash, text: string): NoteKey | null {
  const [, name, id, encoded] = /^([!-*,-~]{1,255})\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text) ?? [];
  const bytes = encoded === undefined ? null : fromBase64(encoded);
  const type = (Object.keys(noteKeyTypes) as NoteKeyType[]).find((type) => noteKeyTypes[type].byte === bytes?.[0]);
  if (name === undefined || bytes === null || type === undefined) return null;
  if (bytes.length !== 1 + noteKeyTypes[type].publicKeyLength) return null;
  const key = noteKey(hash, name, type, bytes.slice(1));
  return toHex(key.keyId) === id ? key : null;
}

/** What a signature of this key is over: its text, or what a cosignature of that time says of it. Null where the text is no checkpoint and has to be. */
export function signedMessage(key: Pick<NoteKey, "name" | "type">, text: string, timestamp: number): Uint8Array | null {
  if (key.type === "ed25519") return utf8(text);
  if (key.type === "ed25519-cosignature") return cosignedText(text, timestamp);
  return cosignedTree(text, { cosigner: key.name, timestamp });
}

export function noteVerifier(crypto: NoteCrypto, key: NoteKey): NoteVerifier & { key: NoteKey } {
  const { algorithm, signatureLength } = noteKeyTypes[key.type];
  return {
    key,
    name: key.name,
    keyId: key.keyId,
    verify(text, signature) {
      if (signature.length !== signatureLength) return false;
      if (key.type === "ed25519") return crypto.verify(algorithm, key.publicKey, utf8(text), signature);
      const split = splitTimestamp(signature);
      const message = split === null ? null : signedMessage(key, text, split.timestamp);
      return split !== null && message !== null && crypto.verify(algorithm, key.publicKey, message, split.signature);
    },
  };
}
