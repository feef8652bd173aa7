import { describe, expect, test } from "vitest";
import { anchoringOf, anchoringWords, contradicts, readCheckpoint } from "./anchoring.ts";
import { checkpointText } from "./checkpoint.ts";
import { formatNote } from "./note.ts";
import type { NoteSignature } from "./note.ts";
import { formatNoteKey } from "./note-key.ts";
import { sha256, testCrypto, testKeyPair, testNoteKey } from "./note-keys.testing.ts";
import { formatWitnessPolicy, parseWitnessPolicy } from "./witness-policy.ts";
import type { WitnessPolicy } from "./witness-policy.ts";

const origin = "example.org/ledger";
const root = sha256(Buffer.from("root"));
const checkpoint = { origin, size: 1_000, root };
const text = checkpointText(checkpoint);
const log = testNoteKey(origin);
const cosigner = (name: string) => testNoteKey(name, "ed25519-cosignature");
const [acme1, acme2, bank, court] = [
  cosigner("w.acme/1"),
  testNoteKey("w.acme/2", "ml-dsa-44-cosignature"),
  cosigner("w.bank"),
  cosigner("w.court"),
];

const policyText = [
  `log ${formatNoteKey(log.key)}`,
  "# who watches",
  "",
  `witness acme1 ${formatNoteKey(acme1.key)} https://w1.acme.example/`,
  `witness\tacme2 ${formatNoteKey(acme2.key)}`,
  `witness bank ${formatNoteKey(bank.key)}  `,
  `witness court ${formatNoteKey(court.key)}`,
  "group acme any acme1 acme2",
  "group watchers 2 acme bank court",
  "quorum watchers",
  "",
].join("\n");

function policyOf(text: string): WitnessPolicy {
  const reading = parseWitnessPolicy(sha256, text);
  if (reading.type === "refused") throw new Error(JSON.stringify(reading.problems));
  return reading.policy;
}
const policy = policyOf(policyText);
const trust = { ledgerKeys: [log.key], policy, latest: 1_800_000_000 };
const statusOf = (signatures: NoteSignature[], given = text, more = trust) =>
  anchoringOf(readCheckpoint(testCrypto, formatNote(given, [log.sign(given), ...signatures]), more), policy.quorum);

describe("who has witnessed a checkpoint", () => {
  const forged = { ...bank.sign(text), signature: acme1.sign(text).signature };
  const other = checkpointText({ ...checkpoint, size: 999 });

  test.each<[string, NoteSignature[], string[], "WITNESSED" | "UNANCHORED"]>([
    ["nobody", [], [], "UNANCHORED"],
    ["one of two that it takes", [bank.sign(text)], ["bank"], "UNANCHORED"],
    ["two", [bank.sign(text), court.sign(text)], ["bank", "court"], "WITNESSED"],
    ["two witnesses of one organisation", [acme1.sign(text), acme2.sign(text)], ["acme"], "UNANCHORED"],
    ["an organisation by its second key", [acme2.sign(text), court.sign(text)], ["acme", "court"], "WITNESSED"],
    ["the same twice", [bank.sign(text), bank.sign(text)], ["bank"], "UNANCHORED"],
    ["the same at two times", [bank.sign(text, 1), bank.sign(text, 2)], ["bank"], "UNANCHORED"],
    ["somebody who is not in the policy", [bank.sign(text), cosigner("w.court").sign(text)], ["bank"], "UNANCHORED"],
    ["one from the future", [bank.sign(text), court.sign(text, 1_800_000_001)], ["bank"], "UNANCHORED"],
    ["a forged one makes the note worthless", [court.sign(text), acme1.sign(text), forged], [], "UNANCHORED"],
    ["one for an earlier size, replayed", [bank.sign(text), court.sign(other)], [], "UNANCHORED"],
  ])("%s", (_, signatures, organisations, status) => {
    expect(statusOf(signatures)).toMatchObject({ organisations, status });
  });

  test("the age is that of the organisation with which the quorum was reached", () => {
    expect(statusOf([bank.sign(text, 300), acme1.sign(text, 100), court.sign(text, 200)])).toMatchObject({ size: 1_000, at: 200 });
  });

  test("a ledger that signs as its own witness has none", () => {
    const pair = testKeyPair("ed25519");
    const [ledger, itself] = [testNoteKey(origin, "ed25519", pair), testNoteKey("w.court", "ed25519-cosignature", pair)];
    const posing = policyOf(policyText.replace(formatNoteKey(court.key), formatNoteKey(itself.key)));
    const given = formatNote(text, [ledger.sign(text), bank.sign(text), itself.sign(text)]);
    const reading = readCheckpoint(testCrypto, given, { ledgerKeys: [ledger.key], policy: posing });
    expect(reading).toMatchObject({ organisations: ["bank"] });
  });

  test("a checkpoint that the ledger has not signed, or signed for another name, is not read", () => {
    const witnessed = formatNote(text, [bank.sign(text), court.sign(text)]);
    expect(readCheckpoint(testCrypto, witnessed, trust)).toMatchObject({ type: "refused", why: "No key of the ledger has signed it" });
    const foreign = checkpointText({ ...checkpoint, origin: "example.org/other" });
    expect(readCheckpoint(testCrypto, formatNote(foreign, [log.sign(foreign)]), trust)).toMatchObject({ type: "refused" });
    expect(readCheckpoint(testCrypto, formatNote("hello\n", [log.sign("hello\n")]), trust)).toMatchObject({ type: "refused" });
  });

  test("it is said in these words", () => {
    expect(anchoringWords(statusOf([]))).toBe("UNANCHORED");
    expect(anchoringWords(statusOf([bank.sign(text)]))).toBe("UNANCHORED (1 of 2 organisations)");
    expect(anchoringWords(statusOf([bank.sign(text), acme1.sign(text)]))).toBe("WITNESSED(2 organisations)");
  });
});

test("two roots at one size contradict each other", () => {
  expect(contradicts(checkpoint, { ...checkpoint, root: sha256(Buffer.from("other")) })).toBe(true);
  expect(contradicts(checkpoint, { ...checkpoint })).toBe(false);
  expect(contradicts(checkpoint, { ...checkpoint, size: 2, root: sha256(Buffer.from("other")) })).toBe(false);
});

describe("the policy", () => {
  test("is written as it is read", () => {
    const written = formatWitnessPolicy(policy);
    expect(policyOf(written)).toMatchObject({
      organisations: policy.organisations,
      quorum: 2,
      witnesses: policy.witnesses,
      logs: policy.logs,
    });
  });

  test("may ask for nobody", () => {
    expect(policyOf("quorum none\n")).toMatchObject({ quorum: 0, organisations: [], witnesses: [] });
    expect(policyOf(formatWitnessPolicy({ logs: [], witnesses: [], quorum: 0 }))).toMatchObject({ quorum: 0 });
  });

  test("a single witness is an organisation; one outside the quorum counts for nothing", () => {
    const alone = policyOf(`witness a ${formatNoteKey(bank.key)}\nwitness b ${formatNoteKey(court.key)}\nquorum a\n`);
    expect(alone).toMatchObject({ quorum: 1, organisations: ["a"], witnesses: [{ name: "a", organisation: "a" }] });
  });

  test("an organisation that needs all of its witnesses has not witnessed with one", () => {
    const strict = policyOf(policyText.replace("group acme any", "group acme all"));
    expect(strict.witnessedBy(new Set(["acme1", "bank"]))).toEqual(["bank"]);
    expect(strict.witnessedBy(new Set(["acme1", "acme2", "bank"]))).toEqual(["acme", "bank"]);
  });

  const twin = testNoteKey("w.twin", "ed25519-cosignature");
  test.each<[string, string, RegExp]>([
    ["no quorum", `witness a ${formatNoteKey(bank.key)}\n`, /quorum/],
    ["two quorums", "quorum none\nquorum none\n", /one quorum/],
    ["a quorum of nobody", "quorum a\n", /not defined/],
    ["carriage returns", policyText.replaceAll("\n", "\r\n"), /carriage return/],
    ["an unknown word", "witnesses a\nquorum none\n", /none of log/],
    ["a mistyped key", policyText.replace("+B", "+C"), /mistyped/],
    ["a key that signs texts", `witness a ${formatNoteKey(log.key)}\nquorum a\n`, /cosigns/],
    ["one name twice", `witness a ${formatNoteKey(bank.key)}\nwitness a ${formatNoteKey(court.key)}\nquorum a\n`, /taken/],
    ["the name none", `witness none ${formatNoteKey(bank.key)}\nquorum none\n`, /taken/],
    [
      "one key under two names",
      `witness a ${formatNoteKey(twin.key)}\nwitness b ${formatNoteKey(twin.key)}\ngroup g all a b\nquorum g\n`,
      /one key is one party/,
    ],
    ["a member in two groups", policyText.replace("2 acme bank court", "2 acme bank acme1"), /member already/],
    ["a member twice in one", policyText.replace("2 acme bank court", "2 bank bank court"), /member already/],
    ["more than there are", policyText.replace("2 acme", "4 acme"), /from 1/],
    ["none of them", policyText.replace("2 acme", "0 acme"), /from 1/],
    ["a group of what comes later", "group g any a\nquorum g\n", /not defined above/],
  ])("is refused with %s", (_, given, why) => {
    const reading = parseWitnessPolicy(sha256, given);
    expect(reading.type).toBe("refused");
    expect(reading.type === "refused" ? reading.problems.map(({ message }) => message).join("; ") : "").toMatch(why);
  });

  test("one key pair under two organisations' names is refused", () => {
    const pair = testKeyPair("ed25519");
    const [one, two] = [testNoteKey("w.one", "ed25519-cosignature", pair), testNoteKey("w.two", "ed25519-cosignature", pair)];
    const given = `witness one ${formatNoteKey(one.key)}\nwitness two ${formatNoteKey(two.key)}\ngroup g all one two\nquorum g\n`;
    const reading = parseWitnessPolicy(sha256, given);
    expect(reading.type === "refused" && reading.problems[0]?.line).toBe(2);
  });
});
