import { createHash, createPublicKey, generateKeyPairSync, sign, verify } from "node:crypto";
import { joinTimestamp } from "./cosignature.ts";
import type { NoteSignature } from "./note.ts";
import { noteKey, noteKeyTypes, signedMessage } from "./note-key.ts";
import type { NoteAlgorithm, NoteCrypto, NoteKey, NoteKeyType } from "./note-key.ts";

export const sha256 = (bytes: Uint8Array): Uint8Array => Uint8Array.from(createHash("sha256").update(bytes).digest());

const spkiPrefixes: Record<NoteAlgorithm, Buffer> = {
  Ed25519: Buffer.from("302a300506032b6570032100", "hex"),
  "ML-DSA-44": Buffer.from("30820532300b06096086480165030403110382052100", "hex"),
};

export const testCrypto: NoteCrypto = {
  hash: sha256,
  verify(algorithm, publicKey, message, signature) {
    const key = createPublicKey({ key: Buffer.concat([spkiPrefixes[algorithm], publicKey]), format: "der", type: "spki" });
    return verify(null, message, key, signature);
  },
};

export type TestNoteKey = { key: NoteKey; sign(text: string, timestamp?: number): NoteSignature };

/** A key pair of a name, by a real library. */
export function testNoteKey(name: string, type: NoteKeyType = "ed25519", pair = testKeyPair(type)): TestNoteKey {
  const publicKey = pair.publicKey.export({ type: "spki", format: "der" }).subarray(-noteKeyTypes[type].publicKeyLength);
  const key = noteKey(sha256, name, type, Uint8Array.from(publicKey));
  return {
    key,
    sign(text, timestamp = 1_700_000_000) {
      const signature = sign(null, signedMessage(key, text, timestamp) ?? new Uint8Array(0), pair.privateKey);
      return { name, keyId: key.keyId, signature: type === "ed25519" ? signature : joinTimestamp(timestamp, signature) };
    },
  };
}

export function testKeyPair(type: NoteKeyType) {
  return type === "ml-dsa-44-cosignature" ? generateKeyPairSync("ml-dsa-44") : generateKeyPairSync("ed25519");
}
