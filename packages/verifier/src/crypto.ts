import * as crypto from "node:crypto";
import { noteKeyTypes, treeHash } from "@remit/core";
import type { NoteAlgorithm, NoteCrypto, NoteKey } from "@remit/core";

// `crypto.hash` costs a third of a hash object, and less than half of that where it makes text, a byte a letter; Node has it from 20.12 on.
export const sha256: (bytes: Uint8Array) => Uint8Array =
  typeof crypto.hash === "function"
    ? (bytes) => Buffer.from(crypto.hash("sha256", bytes, "binary"), "binary")
    : (bytes) => crypto.createHash("sha256").update(bytes).digest();

export const sha256Tree = treeHash(sha256);

/** What comes before the raw public key in a SubjectPublicKeyInfo (RFC 8410, RFC 9881). */
const spki: Record<NoteAlgorithm, Buffer> = {
  Ed25519: Buffer.from("302a300506032b6570032100", "hex"),
  "ML-DSA-44": Buffer.from("30820532300b06096086480165030403110382052100", "hex"),
};

const keys = new Map<string, crypto.KeyObject | null>();

function publicKey(algorithm: NoteAlgorithm, raw: Uint8Array): crypto.KeyObject | null {
  const id = `${algorithm} ${Buffer.from(raw).toString("hex")}`;
  const known = keys.get(id);
  if (known !== undefined) return known;
  let key: crypto.KeyObject | null = null;
  try {
    key = crypto.createPublicKey({ key: Buffer.concat([spki[algorithm], raw]), format: "der", type: "spki" });
  } catch {
    // Not a point of the curve, or this Node does not know the algorithm.
  }
  keys.set(id, key);
  return key;
}

export const noteCrypto: NoteCrypto = {
  hash: sha256,
  verify(algorithm, raw, message, signature) {
    const key = publicKey(algorithm, raw);
    return key !== null && crypto.verify(null, message, key, signature);
  },
};

/** Whether this Node can check what this key signs: ML-DSA-44 needs Node 24. */
export function canCheck(key: NoteKey): boolean {
  return publicKey(noteKeyTypes[key.type].algorithm, key.publicKey) !== null;
}
