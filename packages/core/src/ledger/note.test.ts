import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fromBase64, toBase64 } from "./base64.ts";
import { checkpointText, parseCheckpoint } from "./checkpoint.ts";
import { formatNote, maxNoteLength, maxNoteSignatures, openNote, parseNote, parseSignatureLines, readNote, signatureLine } from "./note.ts";
import { formatNoteKey, noteVerifier, parseNoteKey } from "./note-key.ts";
import type { NoteKey } from "./note-key.ts";
import { sha256, testCrypto, testKeyPair, testNoteKey } from "./note-keys.testing.ts";

const origin = "example.org/ledger";
const checkpoint = { origin, size: 20_852_163, root: sha256(Buffer.from("root")) };
const text = checkpointText(checkpoint);
const log = testNoteKey(origin);
const verifierOf = (key: { key: NoteKey }) => noteVerifier(testCrypto, key.key);
const note = formatNote(text, [log.sign(text)]);

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

describe("the standard's own examples", () => {
  const vkey = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
  const signature = "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=";

  test("[AUD-14] a verifier key opens its note, and is written as it was read", () => {
    const key = parseNoteKey(sha256, vkey);
    if (key === null) throw new Error("the key was not read");
    expect(formatNoteKey(key)).toBe(vkey);
    const given = `This is an example message.\n\n— example.com/foo ${signature}\n`;
    expect(openNote(given, [noteVerifier(testCrypto, key)])).toBe("This is an example message.\n");
    expect(openNote(given.replace("example message", "Example message"), [noteVerifier(testCrypto, key)])).toBeNull();
  });

  // The notes of golang.org/x/mod/sumdb/note, from which the standard was written.
  const quote = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
  const peter = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
  const enoch = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop";
  const byPeter = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
  const byEnoch = "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n";

  test.each([
    ["one signature", `${quote}\n${byPeter}`, 1],
    ["two", `${quote}\n${byPeter}${byEnoch}`, 2],
    ["one twice", `${quote}\n${byPeter}${byPeter}`, 1],
    ["somebody else's beside it", `${quote}\n— Mallory x08go/ZJkuB=\n${byPeter}`.replace("kuB=", "kuBS"), 1],
  ])("%s", (_, given, count) => {
    const verifiers = [peter, enoch].map((vkey) => noteVerifier(testCrypto, parseNoteKey(sha256, vkey) ?? log.key));
    const reading = readNote(given, verifiers);
    expect(reading.type === "signed" && reading.signed.length).toBe(count);
  });

  test("a cosignature is over what the standard writes out", () => {
    // https://c2sp.org/tlog-cosignature, the example of the message; its keys are not published.
    const given =
      "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n" +
      "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n" +
      "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";
    const parsed = parseNote(given);
    expect(parseCheckpoint(parsed?.text ?? "")).toMatchObject({ origin: "example.com/behind-the-sofa", size: 20_852_163 });
    const [, cosignature] = parsed?.signatures ?? [];
    expect(cosignature?.signature.length).toBe(8 + 64);
    expect(Buffer.from(cosignature?.signature.subarray(0, 8) ?? []).readBigUInt64BE()).toBe(1_679_315_147n);
    expect(parsed?.signatures.map(signatureLine).join("")).toBe(given.slice(given.indexOf("\n\n") + 2));
  });
});

test.each(["ed25519", "ed25519-cosignature", "ml-dsa-44-cosignature"] as const)(
  "[AUD-14] what a key of type %s signs, it opens, under its own name only",
  (type) => {
    const signer = testNoteKey("witness.example/w1", type);
    const given = formatNote(text, [signer.sign(text)]);
    expect(openNote(given, [verifierOf(signer)])).toBe(text);
    expect(openNote(given, [verifierOf(testNoteKey("witness.example/w1", type))])).toBeNull();
    expect(openNote(given.replace("20852163", "20852164"), [verifierOf(signer)])).toBeNull();
    expect(parseNoteKey(sha256, formatNoteKey(signer.key))).toEqual(signer.key);
  },
);

test("one key pair under two types has two ids, and a signature of one type is none of the other", () => {
  const pair = testKeyPair("ed25519");
  const [plain, cosigning] = [testNoteKey("same.example", "ed25519", pair), testNoteKey("same.example", "ed25519-cosignature", pair)];
  expect(plain.key.keyId).not.toEqual(cosigning.key.keyId);
  const swapped = { ...plain.sign(text), keyId: cosigning.key.keyId };
  expect(readNote(formatNote(text, [swapped]), [verifierOf(cosigning)]).type).toBe("forged");
});

test("[AUD-14] a key that was made to have the id of a known one gains nothing by it", () => {
  const stranger = testNoteKey(origin);
  const posing = { ...stranger.sign(text), keyId: log.key.keyId };
  expect(readNote(formatNote(text, [posing]), [verifierOf(log)])).toMatchObject({ type: "forged" });
  // Also beside the honest line: a note that lies about a key that is known is not read at all.
  expect(readNote(formatNote(text, [log.sign(text), posing]), [verifierOf(log)])).toMatchObject({ type: "forged" });
});

test("[AUD-14] a note that was changed does not open", () => {
  fc.assert(
    fc.property(fc.nat(note.length - 1), fc.constantFrom("", "x", "\n", "=", "\r", "\t", "\0"), (at, replacement) => {
      const changed = note.slice(0, at) + replacement + note.slice(at + 1);
      // Only what is outside the signed text may differ, and nothing there is left free.
      expect(changed === note || openNote(changed, [verifierOf(log)]) === null).toBe(true);
    }),
  );
});

test.each<[string, string]>([
  ["nothing", ""],
  ["line feeds", "\n\n"],
  ["a hyphen for the dash", "text\n\n- name AAAA\n"],
  ["no signature", "text\n\n— name\n"],
  ["bad base64", "text\n\n— name AAAAAAB=\n"],
  ["only an id", "text\n\n— name AAAAAA==\n"],
  ["no last line feed", note.slice(0, -1)],
  ["carriage returns", note.replaceAll("\n", "\r\n")],
  ["a carriage return in the text", note.replace("\n", "\r\n")],
  ["a tab", note.replace(origin, `${origin}\t`)],
  ["a zero byte", note.replace(origin, `${origin}\0`)],
  ["half a character", note.replace(origin, `${origin}\ud800`)],
  ["two spaces", note.replace("— ", "—  ")],
  ["a line too many", `${note}\n`],
  ["more signatures than anybody needs", `${text}\n${signatureLine(log.sign(text)).repeat(maxNoteSignatures + 1)}`],
  ["more bytes than anybody needs", `${"x".repeat(maxNoteLength)}${note}`],
])("what is not a note is refused without an exception: %s", (_, given) => {
  expect(parseNote(given)).toBeNull();
  expect(openNote(given, [verifierOf(log)])).toBeNull();
});

test("signature lines are read alone", () => {
  expect(parseSignatureLines(signatureLine(log.sign(text)))).toMatchObject([
    { name: origin, keyId: log.key.keyId, signature: Uint8Array.from(log.sign(text).signature) },
  ]);
  for (const bad of ["", "\n", "— a\n", signatureLine(log.sign(text)).trimEnd(), `${signatureLine(log.sign(text))}\n`]) {
    expect(parseSignatureLines(bad)).toBeNull();
  }
});

test.each<[string, string]>([
  ["nothing", ""],
  ["a leading zero", "o\n01\nAAAA\n"],
  ["a negative size", "o\n-1\nAAAA\n"],
  ["no origin", "\n1\nAAAA\n"],
  ["an exponent", `o\n1e3\n${toBase64(checkpoint.root)}\n`],
  ["no last line feed", `o\n1\n${toBase64(checkpoint.root)}`],
  ["an empty extension", `o\n1\n${toBase64(checkpoint.root)}\n\nx\n`],
  ["two line feeds", `o\n1\n${toBase64(checkpoint.root)}\n\n`],
  ["a size beyond what is exact", `o\n9007199254740992\n${toBase64(checkpoint.root)}\n`],
])("what is not a checkpoint is refused: %s", (_, given) => {
  expect(parseCheckpoint(given)).toBeNull();
});

test("extension lines are signed and passed over", () => {
  expect(parseCheckpoint(`${text}extension\n`)).toEqual(checkpoint);
});

test.each([
  "",
  "name",
  "name+00000000+AQ==",
  "example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
  "example.com/fo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
  "example.com/foo+530d903a+CekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
  "example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
  " example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
])("%j is no verifier key", (given) => {
  expect(parseNoteKey(sha256, given)).toBeNull();
});
