import { hash } from "node:crypto";

const blockLength = 64;

/**
 * HMAC-SHA-256 under a key of 32 bytes (RFC 2104), in hexadecimal. `createHmac` makes a key object of every salt,
 * which costs four times as much as the two hashes that it then computes.
 */
export function saltedCommitment(salt: Uint8Array, payload: Uint8Array): string {
  const inner = Buffer.allocUnsafe(blockLength + payload.length);
  const outer = Buffer.allocUnsafe(blockLength + 32);
  // By index: an iterator over entries makes an array of every byte, which was a tenth of all that a governed call left to collect.
  for (let index = 0; index < blockLength; index += 1) {
    const byte = salt[index] ?? 0;
    inner[index] = byte ^ 0x36;
    outer[index] = byte ^ 0x5c;
  }
  inner.set(payload, blockLength);
  // As text, a byte a letter: a buffer for every hash costs more than the hash.
  outer.write(hash("sha256", inner, "binary"), blockLength, "binary");
  return hash("sha256", outer, "hex");
}
