import { noteVerifier, parseCheckpoint, readNote } from "@remit/core";
import type { NoteKey } from "@remit/core";
import { noteCrypto } from "../keys/note-crypto.ts";

/** The last of these notes; of those that this ledger signed where there are such, so that a foreign line at the end hides none. */
export function lastSigned(notes: readonly string[], origin: string, keys: readonly NoteKey[]): string | null {
  const verifiers = keys.map((key) => noteVerifier(noteCrypto, key));
  const own = notes.findLast((note) => {
    const reading = readNote(note, verifiers);
    return reading.type === "signed" && parseCheckpoint(reading.text)?.origin === origin;
  });
  return own ?? notes.at(-1) ?? null;
}
