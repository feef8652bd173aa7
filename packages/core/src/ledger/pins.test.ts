import { createPrivateKey, createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { formatAddCheckpoint, parseAddCheckpoint } from "./add-checkpoint.ts";
import { readCheckpoint } from "./anchoring.ts";
import { checkpointText } from "./checkpoint.ts";
import { cosignedTree } from "./cosignature.ts";
import { encodeEntryBundle } from "./entry-bundle.ts";
import { merkleTree } from "./merkle-tree.ts";
import { formatNote } from "./note.ts";
import { formatNoteKey, noteVerifier, parseNoteKey } from "./note-key.ts";
import { sha256, testCrypto, testNoteKey } from "./note-keys.testing.ts";
import { consistencySpans, inclusionSpans, spanRoot } from "./proof.ts";
import { readNote } from "./note.ts";
import { tilePath } from "./tile.ts";
import { formatTlogProof, holdsTlogProof, parseTlogProof } from "./tlog-proof.ts";
import { treeHash } from "./tree-hash.ts";
import { toHex } from "./utf8.ts";
import { formatWitnessPolicy, parseWitnessPolicy } from "./witness-policy.ts";

/** What is written once is read by others for years: these files change only when a format does, and then it is another format. */
const pin = (name: string): string => readFileSync(new URL(`pins/${name}`, import.meta.url), "utf8");

/** The same key each time: Ed25519 signs the same text with the same bytes. */
function fixedPair(seed: number) {
  const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), Buffer.alloc(32, seed)]);
  const privateKey = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  return { privateKey, publicKey: createPublicKey(privateKey) };
}

const origin = "ledger.example.org";
const log = testNoteKey(origin, "ed25519", fixedPair(1));
const witness = testNoteKey("witness.example.net/1", "ed25519-cosignature", fixedPair(2));
const hash = treeHash(sha256);
const entries = Array.from({ length: 5 }, (_, index) => Buffer.from(`{"id":"ent_${index}"}`));
const perfect = (level: number, index: number): Uint8Array => {
  const tree = merkleTree(hash);
  for (const entry of entries.slice(index * 2 ** level, (index + 1) * 2 ** level)) tree.append(hash.leaf(entry));
  return tree.root();
};
const rootsOf = (spans: { start: number; end: number }[]) =>
  spans.map((span) => spanRoot(hash, span, ({ level, index }) => perfect(level, index)));
const tree = merkleTree(hash);
for (const entry of entries) tree.append(hash.leaf(entry));
const text = checkpointText({ origin, size: 5, root: tree.root() });
const signed = formatNote(text, [log.sign(text)]);
const witnessed = formatNote(text, [log.sign(text), witness.sign(text, 1_795_000_000)]);
const proof = { extra: entries[3] ?? null, index: 3, proof: rootsOf(inclusionSpans(3, 5)), checkpoint: witnessed };
const policy = [
  `log ${formatNoteKey(log.key)}`,
  `witness one ${formatNoteKey(witness.key)} https://witness.example.net`,
  "group quorum-of-organisations 1 one",
  "quorum quorum-of-organisations",
  "",
].join("\n");

test.each<[string, () => string]>([
  ["verifier-keys.txt", () => `${formatNoteKey(log.key)}\n${formatNoteKey(witness.key)}\n`],
  ["checkpoint.txt", () => signed],
  ["checkpoint-witnessed.txt", () => witnessed],
  ["entry.tlog-proof", () => formatTlogProof(proof)],
  ["add-checkpoint.txt", () => formatAddCheckpoint({ oldSize: 3, proof: rootsOf(consistencySpans(3, 5)), checkpoint: signed })],
  ["entry-bundle.hex", () => `${toHex(encodeEntryBundle(entries))}\n`],
  ["tile.hex", () => `${tilePath({ level: 0, index: 0 }, 5)}\n${entries.map((entry) => toHex(hash.leaf(entry))).join("\n")}\n`],
  [
    "ml-dsa-message.hex",
    () => `${toHex(cosignedTree(text, { cosigner: "witness.example.net/2", timestamp: 1_795_000_000 }) ?? new Uint8Array(0))}\n`,
  ],
  ["witnesses.policy", () => policy],
])("[AUD-14] %s is written to the byte as it was", (name, write) => {
  expect(write()).toBe(pin(name));
});

test("[AUD-14] what was written then is read and verified now", () => {
  const keys = pin("verifier-keys.txt")
    .trim()
    .split("\n")
    .map((vkey) => parseNoteKey(sha256, vkey));
  const reading = parseWitnessPolicy(sha256, pin("witnesses.policy"));
  if (reading.type === "refused" || keys[0] === null || keys[0] === undefined) throw new Error("the pins are not read");
  expect(formatWitnessPolicy(reading.policy)).toBe(pin("witnesses.policy"));
  expect(readCheckpoint(testCrypto, pin("checkpoint-witnessed.txt"), { ledgerKeys: [keys[0]], policy: reading.policy })).toMatchObject({
    type: "checkpoint",
    checkpoint: { origin, size: 5 },
    organisations: ["one"],
  });
  const kept = parseTlogProof(pin("entry.tlog-proof"));
  if (kept?.extra === null || kept?.extra === undefined) throw new Error("the proof is not read");
  expect(holdsTlogProof(hash, kept, kept.extra)).toBe(true);
  expect(parseAddCheckpoint(pin("add-checkpoint.txt"))).toMatchObject({ oldSize: 3, proof: { length: 4 } });
});

test("[AUD-14] a signature by ML-DSA-44 from then verifies now", () => {
  // Signed once and kept: this algorithm signs the same text differently each time.
  const [vkey = "", ...rest] = pin("ml-dsa-note.txt").split("\n");
  const key = parseNoteKey(sha256, vkey);
  if (key === null) throw new Error("the key is not read");
  const given = rest.join("\n");
  expect(readNote(given, [noteVerifier(testCrypto, key)])).toMatchObject({ type: "signed", text });
  expect(readNote(given.replace("\n5\n", "\n6\n"), [noteVerifier(testCrypto, key)])).toMatchObject({ type: "forged" });
});
