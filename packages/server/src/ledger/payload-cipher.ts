import { createCipheriv, createDecipheriv, hash, randomFillSync } from "node:crypto";
import type { KeyObject } from "node:crypto";
import type { JsonObject, PayloadCommitment } from "@remit/contract";
import { canonicalJson } from "@remit/core";
import { readJson } from "../json/read-json.ts";
import { saltedCommitment } from "./salted-commitment.ts";

/** Which payload of which entry it is, and whose. A ciphertext opens in its own place only. */
export type PayloadPlace = { entryId: string; name: string; subject: string };

const version = 1;
const nonceLength = 12;
const saltLength = 32;
const tagLength = 16;

/**
 * `version || nonce || AES-256-GCM(salt || payload) || tag`. The salt is sealed with the payload: without the subject's key
 * nobody can try guesses against the commitment. No hash of a payload without a salt exists anywhere.
 * Nonces are random: one key may seal 2^32 payloads.
 */
export function sealPayload(key: KeyObject, place: PayloadPlace, value: JsonObject): { ciphertext: Buffer; commitment: PayloadCommitment } {
  const text = canonicalJson(value);
  const plain = Buffer.allocUnsafe(saltLength + Buffer.byteLength(text));
  const salt = plain.subarray(0, saltLength);
  plain.write(text, saltLength);
  const ciphertext = Buffer.allocUnsafe(1 + nonceLength + plain.length + tagLength);
  const nonce = ciphertext.subarray(1, 1 + nonceLength);
  ciphertext[0] = version;
  fillRandomly(nonce);
  fillRandomly(salt);
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(context(place));
  ciphertext.set(cipher.update(plain), 1 + nonceLength);
  // In counter mode nothing is left to be written.
  cipher.final();
  ciphertext.set(cipher.getAuthTag(), ciphertext.length - tagLength);
  const commitment = saltedCommitment(salt, plain.subarray(saltLength));
  return { ciphertext, commitment: { commitment, sealed: ciphertextDigest(ciphertext) } };
}

/** A payload, what its commitment must be, and the salt with which anybody can compute that. */
export type OpenedPayload = { value: JsonObject; commitment: string; salt: Buffer };

/** Null when this key did not seal this ciphertext for this place. */
export function openPayload(key: KeyObject, place: PayloadPlace, ciphertext: Buffer): OpenedPayload | null {
  if (ciphertext.length < 1 + nonceLength + saltLength + tagLength || ciphertext[0] !== version) return null;
  const decipher = createDecipheriv("aes-256-gcm", key, ciphertext.subarray(1, 1 + nonceLength), { authTagLength: tagLength });
  decipher.setAAD(context(place)).setAuthTag(ciphertext.subarray(-tagLength));
  try {
    const plain = Buffer.concat([decipher.update(ciphertext.subarray(1 + nonceLength, -tagLength)), decipher.final()]);
    const payload = plain.subarray(saltLength);
    const value = readJson(payload.toString()) as JsonObject;
    const salt = plain.subarray(0, saltLength);
    return { value, commitment: saltedCommitment(salt, payload), salt };
  } catch {
    return null;
  }
}

export function ciphertextDigest(ciphertext: Uint8Array): string {
  return hash("sha256", ciphertext, "hex");
}

function context({ entryId, name, subject }: PayloadPlace): Buffer {
  return Buffer.from(JSON.stringify([entryId, name, subject]));
}

// One call to the system's generator for many payloads.
const pool = Buffer.alloc((nonceLength + saltLength) * 128);
let used = pool.length;

function fillRandomly(bytes: Buffer): void {
  for (let index = 0; index < bytes.length; index += 1, used += 1) {
    if (used === pool.length) {
      randomFillSync(pool);
      used = 0;
    }
    bytes[index] = pool[used] ?? 0;
    pool[used] = 0;
  }
}
