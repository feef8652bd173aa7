import { createCipheriv, createDecipheriv, hash, randomFillSync } from "node:crypto";
import type { KeyObject } from "node:crypto";
import type { JsonObject, PayloadCommitment } from "@remit/contract";
import { canonicalJson } from "@remit/core";
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
  const random = randomBytes();
  const nonce = random.subarray(0, nonceLength);
  const plain = Buffer.concat([random.subarray(nonceLength), Buffer.from(canonicalJson(value))]);
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(context(place));
  const ciphertext = Buffer.concat([versionByte, nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  const salt = plain.subarray(0, saltLength);
  const payload = plain.subarray(saltLength);
  return { ciphertext, commitment: { commitment: saltedCommitment(salt, payload), sealed: hash("sha256", ciphertext, "hex") } };
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
    const value = JSON.parse(payload.toString()) as JsonObject;
    const salt = plain.subarray(0, saltLength);
    return { value, commitment: saltedCommitment(salt, payload), salt };
  } catch {
    return null;
  }
}

export function ciphertextDigest(ciphertext: Uint8Array): string {
  return hash("sha256", ciphertext, "hex");
}

const versionByte = Buffer.from([version]);

function context({ entryId, name, subject }: PayloadPlace): Buffer {
  return Buffer.from(JSON.stringify([entryId, name, subject]));
}

// One call to the system's generator for many payloads.
const pool = Buffer.alloc((nonceLength + saltLength) * 128);
let used = pool.length;

function randomBytes(): Buffer {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const taken = Buffer.from(pool.subarray(used, used + nonceLength + saltLength));
  pool.fill(0, used, used + nonceLength + saltLength);
  used += nonceLength + saltLength;
  return taken;
}
