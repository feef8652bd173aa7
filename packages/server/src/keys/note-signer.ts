import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { RemitError } from "@remit/contract";
import type { NoteKey, NoteKeyType, NoteSignature } from "@remit/core";
import { joinTimestamp, noteKey, noteKeyTypes, noteVerifier, signedMessage } from "@remit/core";
import { noteCrypto, rawPublicKey, sha256 } from "./note-crypto.ts";

/**
 * What signs notes, wherever its private key is: in this process, in a module, at a service.
 * `timestamp`, in seconds since 1970, is part of what a cosignature says; a plain signature does not hold it.
 */
export type Signer = { key: NoteKey; sign(message: Uint8Array): Promise<Uint8Array> };

export function localSigner(name: string, type: NoteKeyType, privateKey: KeyObject): Signer {
  const key = noteKey(sha256, name, type, Uint8Array.from(rawPublicKey(createPublicKey(privateKey))));
  return { key, sign: async (message) => sign(null, message, privateKey) };
}

/**
 * One line of a note. It is verified with the public key before anybody sees it: a module that signs with another key, or is broken,
 * must not leave a note that nobody can open.
 * @throws RemitError `ledger-unavailable`
 */
export async function signLine(signer: Signer, text: string, timestamp: number): Promise<NoteSignature> {
  const { key } = signer;
  const message = signedMessage(key, text, timestamp);
  if (message === null) throw new RemitError("internal", "Only a checkpoint can be cosigned");
  const bytes = await signer.sign(message);
  const signature = key.type === "ed25519" ? bytes : joinTimestamp(timestamp, bytes);
  if (!noteVerifier(noteCrypto, key).verify(text, signature)) {
    throw new RemitError(
      "ledger-unavailable",
      `What signs as ${key.name} did not sign with the private half of its key; its signature was thrown away`,
    );
  }
  return { name: key.name, keyId: key.keyId, signature };
}

export function generatePrivateKey(type: NoteKeyType): KeyObject {
  return noteKeyTypes[type].algorithm === "ML-DSA-44"
    ? generateKeyPairSync("ml-dsa-44").privateKey
    : generateKeyPairSync("ed25519").privateKey;
}

export function readPrivateKey(pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    throw new RemitError("invalid-configuration", "This is not a private key in PEM", { cause });
  }
}
