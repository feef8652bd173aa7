import { createPublicKey, sign } from "node:crypto";
import type { KeyObject } from "node:crypto";
import type { NoteSigner, NoteVerifier } from "@remit/core";
import { formatNoteKey, noteKey, noteVerifier, treeHash } from "@remit/core";
import type { KeyStore } from "../keys/key-store.ts";
import { noteCrypto, rawPublicKey, sha256 } from "../keys/note-crypto.ts";

/** What a ledger calls itself where nobody has said otherwise. */
export const defaultOrigin = "remit.local/ledger";

/** RFC 6962 over SHA-256. */
export const sha256Tree = treeHash(sha256);

/** The key that signs the checkpoints of this ledger. */
export async function ledgerKey(keys: KeyStore, origin: string): Promise<{ signer: NoteSigner; verifier: NoteVerifier }> {
  const { privateKey, publicKey } = await keys.signingKey("ledger", "Ed25519");
  const verifier = ledgerVerifier(publicKey, origin);
  const { name, keyId } = verifier;
  return { verifier, signer: { name, keyId, sign: (text) => sign(null, Buffer.from(text), privateKey) } };
}

/** All that a stranger needs to check the checkpoints of a ledger: its public key and its name. */
export function ledgerVerifier(publicKey: KeyObject, origin: string): NoteVerifier {
  return noteVerifier(noteCrypto, noteKey(sha256, origin, "ed25519", rawPublicKey(publicKey)));
}

/** The same as texts that are handed around (verifier key strings), of keys as they are stored. */
export function verifierKeys(publicKeys: readonly Buffer[], origin: string): string[] {
  return publicKeys.map((key) => {
    const publicKey = createPublicKey({ key, format: "der", type: "spki" });
    return formatNoteKey(noteKey(sha256, origin, "ed25519", rawPublicKey(publicKey)));
  });
}
