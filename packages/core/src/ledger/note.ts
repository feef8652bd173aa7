import { fromBase64, toBase64 } from "./base64.ts";
import { concatBytes, toHex } from "./utf8.ts";

/** A signature line of a note. The key id tells keys of one name apart. */
export type NoteSignature = { name: string; keyId: Uint8Array; signature: Uint8Array };

/** A text and who signed it (https://c2sp.org/signed-note). */
export type SignedNote = { text: string; signatures: NoteSignature[] };

/** A key that can be asked whether it signed a text. */
export type NoteVerifier = { name: string; keyId: Uint8Array; verify(text: string, signature: Uint8Array): boolean };

/** A key that signs texts. */
export type NoteSigner = { name: string; keyId: Uint8Array; sign(text: string): Uint8Array };

/** What a note turned out to be, given the keys that one knows. `signed` holds a line for each of them that signed it. */
export type NoteReading<Verifier extends NoteVerifier> =
  | { type: "signed"; text: string; signed: { verifier: Verifier; signature: Uint8Array }[] }
  /** `unsigned`: by none of these keys. `forged`: a line names one of these keys, and it did not sign. */
  | { type: "malformed" | "unsigned" | "forged"; why: string };

const keyIdLength = 4;

/** Larger ones are not read. The standard asks for 16 signatures of up to 5 kB. */
export const maxNoteLength = 256 * 1024;
export const maxNoteSignatures = 64;

/** One signature as the line that a note carries, with its line feed. */
export function signatureLine({ name, keyId, signature }: NoteSignature): string {
  return `— ${name} ${toBase64(concatBytes(keyId, signature))}\n`;
}

export function formatNote(text: string, signatures: readonly NoteSignature[]): string {
  return `${text}\n${signatures.map(signatureLine).join("")}`;
}

export function signNote(text: string, ...signers: readonly NoteSigner[]): string {
  return formatNote(
    text,
    signers.map((signer) => ({ name: signer.name, keyId: signer.keyId, signature: signer.sign(text) })),
  );
}

/** Null when it is not a signed note, or one that is too large. Says nothing about whether a signature is right. */
export function parseNote(note: string): SignedNote | null {
  const end = note.lastIndexOf("\n\n");
  if (note.length > maxNoteLength || end < 0 || !note.endsWith("\n") || !isClean(note)) return null;
  const signatures = parseSignatureLines(note.slice(end + 2));
  return signatures === null ? null : { text: note.slice(0, end + 1), signatures };
}

/** Signature lines by themselves: what a witness answers with. Null when one of them is none, or there is none. */
export function parseSignatureLines(lines: string): NoteSignature[] | null {
  if (!lines.endsWith("\n") || lines.length > maxNoteLength) return null;
  const signatures = lines
    .slice(0, -1)
    .split("\n", maxNoteSignatures + 1)
    .map(parseSignature);
  const known = signatures.filter((signature) => signature !== null);
  return known.length === signatures.length && known.length <= maxNoteSignatures ? known : null;
}

/** The standard allows of control characters the line feed alone: no carriage return, no tab. */
function isClean(text: string): boolean {
  if (!text.isWellFormed()) return false;
  for (const character of text) if (character < " " && character !== "\n") return false;
  return true;
}

function parseSignature(line: string): NoteSignature | null {
  const [, name, encoded] = /^— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})$/.exec(line) ?? [];
  const bytes = encoded === undefined ? null : fromBase64(encoded);
  if (name === undefined || bytes === null || bytes.length <= keyIdLength) return null;
  return { name, keyId: bytes.subarray(0, keyIdLength), signature: bytes.subarray(keyIdLength) };
}

/**
 * Reads a note with the keys that one knows. Lines of others are passed over, as the standard says; one that names a key that is known,
 * and that this key did not sign, makes the whole note worthless. A key that signed twice is named once.
 */
export function readNote<Verifier extends NoteVerifier>(note: string, verifiers: readonly Verifier[]): NoteReading<Verifier> {
  const parsed = parseNote(note);
  if (parsed === null) return { type: "malformed", why: "It is not a signed note" };
  const { text } = parsed;
  const signed: { verifier: Verifier; signature: Uint8Array }[] = [];
  for (const { name, keyId, signature } of parsed.signatures) {
    const named = verifiers.filter((key) => key.name === name && toHex(key.keyId) === toHex(keyId));
    if (named.length === 0) continue;
    const verifier = named.find((key) => key.verify(text, signature));
    if (verifier === undefined) return { type: "forged", why: `The signature of ${name}+${toHex(keyId)} is not over this text` };
    if (!signed.some((line) => line.verifier === verifier)) signed.push({ verifier, signature });
  }
  return signed.length === 0 ? { type: "unsigned", why: "None of the expected keys has signed it" } : { type: "signed", text, signed };
}

/** The text of a note that one of these keys signed, and that none of them is said to have signed and has not; null otherwise. */
export function openNote(note: string, verifiers: readonly NoteVerifier[]): string | null {
  const reading = readNote(note, verifiers);
  return reading.type === "signed" ? reading.text : null;
}
