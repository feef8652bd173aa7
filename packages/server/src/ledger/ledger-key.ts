import { createPublicKey, sign } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { RemitError } from "@remit/contract";
import type { NoteSigner, NoteVerifier } from "@remit/core";
import { formatNoteKey, noteKey, noteVerifier, treeHash } from "@remit/core";
import type { KeyStore } from "../keys/key-store.ts";
import { noteCrypto, rawPublicKey, sha256 } from "../keys/note-crypto.ts";
import { localSigner } from "../keys/note-signer.ts";
import type { Signer } from "../keys/note-signer.ts";

/** What a ledger calls itself where nobody has said otherwise. */
export const defaultOrigin = "remit.local/ledger";

/** RFC 6962 over SHA-256. */
export const sha256Tree = treeHash(sha256);

/** The key that a ledger begins with. */
export async function firstSigner(keys: KeyStore, origin: string): Promise<Signer> {
  await keys.signingKey("ledger", "Ed25519");
  return localSigner(origin, "ed25519", (await keys.keyVersion("ledger", 1, "Ed25519")).privateKey);
}

/** The first key, for what signs in the ledger's name besides checkpoints. */
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

/** What this ledger calls itself: by convention a URL without its scheme. Said before the first entry and never after. @throws RemitError `invalid-configuration` */
export function ledgerOrigin(environment: Readonly<Record<string, string | undefined>>): string {
  const origin = environment["REMIT_LEDGER_ORIGIN"] || defaultOrigin;
  if (/^[!-*,-~]{1,200}$/.test(origin)) return origin;
  throw new RemitError(
    "invalid-configuration",
    `REMIT_LEDGER_ORIGIN is visible ASCII without spaces and "+", such as ledger.example.org, not "${origin}"`,
  );
}
