import { createHmac, createSecretKey, randomBytes } from "node:crypto";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { openPayload, sealPayload } from "./payload-cipher.ts";
import { saltedCommitment } from "./salted-commitment.ts";

const key = createSecretKey(Buffer.alloc(32, 1));
const place = { entryId: "ent_1", name: "arguments", subject: "run:1" };

test("the commitment is HMAC-SHA-256 of the payload under the salt", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.uint8Array({ maxLength: 300 }), (salt, payload) => {
      expect(saltedCommitment(salt, payload)).toBe(createHmac("sha256", salt).update(payload).digest("hex"));
    }),
  );
});

test("[AUD-01] what was sealed opens in its place, and nowhere else", () => {
  const value = { text: "Grüße 🚀", nested: { list: [1, null, true] } };
  const { ciphertext, commitment } = sealPayload(key, place, value);
  expect(openPayload(key, place, ciphertext)).toMatchObject({ value, commitment: commitment.commitment });
  expect(openPayload(createSecretKey(randomBytes(32)), place, ciphertext)).toBeNull();
  for (const moved of [{ entryId: "ent_2" }, { name: "result" }, { subject: "run:2" }]) {
    expect(openPayload(key, { ...place, ...moved }, ciphertext)).toBeNull();
  }
  fc.assert(
    fc.property(fc.nat(ciphertext.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const changed = Buffer.from(ciphertext);
      changed[at] = (changed[at] ?? 0) ^ change;
      expect(openPayload(key, place, changed)).toBeNull();
      expect(openPayload(key, place, ciphertext.subarray(0, at))).toBeNull();
    }),
  );
});

test("a payload says the names that were sealed, whatever names V8 has lately seen in their places", () => {
  for (let time = 0; time < 3; time += 1) JSON.parse(JSON.stringify({ A: 1, "\\\\moun": 1 }));
  const value = { A: 1, "\\mount": 999 };
  expect(openPayload(key, place, sealPayload(key, place, value).ciphertext)?.value).toStrictEqual(value);
});

test("the same payload twice shares nothing that can be compared", () => {
  const one = sealPayload(key, place, { secret: "yes" });
  const other = sealPayload(key, place, { secret: "yes" });
  expect(one.commitment.commitment).not.toBe(other.commitment.commitment);
  expect(one.commitment.sealed).not.toBe(other.commitment.sealed);
  expect(one.ciphertext.equals(other.ciphertext)).toBe(false);
});
