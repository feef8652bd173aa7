import { fromBase64, toBase64 } from "./base64.ts";
import type { Hash } from "./tree-hash.ts";

/** A signature line of a note. The key id tells keys of one name apart. */
export type NoteSignature = { name: string; keyId: Uint8Array; signature: Uint8Array };

/** A text and who signed it (https://c2sp.org/signed-note). */
export type SignedNote = { text: string; signatures: NoteSignature[] };

/** A key that can be asked whether it signed a text. */
export type NoteVerifier = { name: string; keyId: Uint8Array; verify(text: string, signature: Uint8Array): boolean };

/** A key that signs texts. */
export type NoteSigner = { name: string; keyId: Uint8Array; sign(text: string): Uint8Array };

const keyIdLength = 4;
const ed25519 = 1;
const keyName = /^[!-*,-~]+$/;

/** The id of an Ed25519 key: the first four bytes of SHA-256 over its name, a line feed, 0x01 and the raw public key. */
export function noteKeyId(hash: Hash, name: string, publicKey: Uint8Array): Uint8Array {
  if (!keyName.test(name)) throw new RangeError(`"${name}" cannot name a key: visible ASCII without "+" is expected`);
  const nameBytes = Array.from(name, (character) => character.charCodeAt(0));
  return hash(Uint8Array.from([...nameBytes, 0x0a, ed25519, ...publicKey])).slice(0, keyIdLength);
}

export function signNote(text: string, signer: NoteSigner): string {
  const signature = signer.sign(text);
  const bytes = new Uint8Array(keyIdLength + signature.length);
  bytes.set(signer.keyId);
  bytes.set(signature, keyIdLength);
  return `${text}\n— ${signer.name} ${toBase64(bytes)}\n`;
}

/** Null when it is not a signed note. Says nothing about whether a signature is right. */
export function parseNote(note: string): SignedNote | null {
  const end = note.lastIndexOf("\n\n");
  if (end < 0 || !note.endsWith("\n")) return null;
  const signatures = note
    .slice(end + 2, -1)
    .split("\n")
    .map(parseSignature);
  const known = signatures.filter((signature) => signature !== null);
  return known.length === signatures.length ? { text: note.slice(0, end + 1), signatures: known } : null;
}

function parseSignature(line: string): NoteSignature | null {
  const [, name, encoded] = /^— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})$/.exec(line) ?? [];
  const bytes = encoded === undefined ? null : fromBase64(encoded);
  if (name === undefined || bytes === null || bytes.length <= keyIdLength) return null;
  return { name, keyId: bytes.subarray(0, keyIdLength), signature: bytes.subarray(keyIdLength) };
}

/** The text of a note that one of these keys signed; null otherwise. Signatures of unknown keys are passed over, as the standard says. */
export function openNote(note: string, verifiers: readonly NoteVerifier[]): string | null {
  const parsed = parseNote(note);
  if (parsed === null) return null;
  const isSigned = parsed.signatures.some((line) =>
    verifiers.some(
      (key) => key.name === line.name && toBase64(key.keyId) === toBase64(line.keyId) && key.verify(parsed.text, line.signature),
    ),
  );
  return isSigned ? parsed.text : null;
}
