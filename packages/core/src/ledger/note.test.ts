import { createHash, generateKeyPairSync, sign, verify } from "node:crypto";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { fromBase64, toBase64 } from "./base64.ts";
import { checkpointText, parseCheckpoint } from "./checkpoint.ts";
import { noteKeyId, openNote, parseNote, signNote } from "./note.ts";

const sha256 = (bytes: Uint8Array): Uint8Array => Uint8Array.from(createHash("sha256").update(bytes).digest());

function key(name: string) {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const keyId = noteKeyId(sha256, name, publicKey.export({ type: "spki", format: "der" }).subarray(-32));
  return {
    signer: { name, keyId, sign: (text: string) => sign(null, Buffer.from(text), privateKey) },
    verifier: { name, keyId, verify: (text: string, signature: Uint8Array) => verify(null, Buffer.from(text), publicKey, signature) },
  };
}

const checkpoint = { origin: "example.org/ledger", size: 20_852_163, root: sha256(Buffer.from("root")) };

test("base64 is the standard one, and one value has one text", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 70 }), (bytes) => {
      expect(toBase64(bytes)).toBe(Buffer.from(bytes).toString("base64"));
      expect(fromBase64(toBase64(bytes))).toEqual(bytes);
    }),
  );
  for (const bad of ["A", "AA", "AAA", "AB==", "AA=A", "A===", "AAAA====", "AA-_", " AAA", "AAAA\n", "===="])
    expect(fromBase64(bad)).toBeNull();
});

test("the key id is that of the standard's example", () => {
  // https://c2sp.org/signed-note: "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
  const publicKey = Buffer.from("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "base64").subarray(1);
  expect(Buffer.from(noteKeyId(sha256, "PeterNeumann", publicKey)).toString("hex")).toBe("c74f20a3");
});

test("[AUD-14] a checkpoint is signed, opened and parsed", () => {
  const { signer, verifier } = key(checkpoint.origin);
  const note = signNote(checkpointText(checkpoint), signer);
  expect(note.split("\n").slice(0, 2)).toEqual(["example.org/ledger", "20852163"]);
  const text = openNote(note, [key("someone.else").verifier, verifier]);
  expect(parseCheckpoint(text ?? "")).toEqual(checkpoint);
});

test("[AUD-14] a note that was changed, or signed by another key of the same name, does not open", () => {
  const { signer, verifier } = key(checkpoint.origin);
  const note = signNote(checkpointText(checkpoint), signer);
  expect(openNote(note.replace("20852163", "20852164"), [verifier])).toBeNull();
  expect(openNote(note, [key(checkpoint.origin).verifier])).toBeNull();
  fc.assert(
    fc.property(fc.nat(note.length - 1), fc.constantFrom("", "x", "\n", "="), (at, replacement) => {
      const changed = note.slice(0, at) + replacement + note.slice(at + 1);
      const text = openNote(changed, [verifier]);
      // Only what is outside the signed text may differ, and nothing there is left free.
      expect(changed === note || text === null).toBe(true);
    }),
  );
});

test("what is not a note or a checkpoint is refused without an exception", () => {
  for (const bad of ["", "\n", "\n\n", "text\n\n- name AAAA\n", "text\n\n— name\n", "text\n\n— name AAAAAAA=", "text\n\n— name AAAA\n"]) {
    expect(parseNote(bad)).toBeNull();
  }
  for (const bad of [
    "",
    "o\n1\n",
    "o\n01\nAAAA\n",
    "o\n-1\nAAAA\n",
    "\n1\nAAAA\n",
    `o\n1e3\n${toBase64(checkpoint.root)}\n`,
    `o\n1\n${toBase64(checkpoint.root)}`,
  ]) {
    expect(parseCheckpoint(bad)).toBeNull();
  }
});
