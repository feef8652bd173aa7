import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatAddCheckpoint, parseAddCheckpoint } from "./add-checkpoint.ts";
import { checkpointText } from "./checkpoint.ts";
import { decodeEntryBundle, encodeEntryBundle } from "./entry-bundle.ts";
import { ledgerKeysAt, readLedgerKeySet, whyNotSigned } from "./ledger-keys.ts";
import { formatNote } from "./note.ts";
import { formatNoteKey } from "./note-key.ts";
import { sha256, testNoteKey } from "./note-keys.testing.ts";
import { parseTilePath, tilePath } from "./tile.ts";
import { formatTlogProof, holdsTlogProof, parseTlogProof } from "./tlog-proof.ts";
import { treeHash } from "./tree-hash.ts";

const origin = "example.com/fancylog";
const log = testNoteKey(origin);
const tree = treeHash(sha256);

describe("paths of tiles", () => {
  test.each<[string, ReturnType<typeof parseTilePath>]>([
    ["tile/0/000", { level: 0, index: 0, width: 256 }],
    ["tile/0/x001/x234/067", { level: 0, index: 1_234_067, width: 256 }],
    ["tile/1/x001/000.p/17", { level: 1, index: 1_000, width: 17 }],
    ["tile/entries/003.p/255", { level: "entries", index: 3, width: 255 }],
    ["tile/63/000", { level: 63, index: 0, width: 256 }],
    ["tile/64/000", null],
    ["tile/00/000", null],
    ["tile/0/0", null],
    ["tile/0/0000", null],
    ["tile/0/x000/001", null],
    ["tile/0/001/067", null],
    ["tile/0/x1/067", null],
    ["tile/0/000.p/0", null],
    ["tile/0/000.p/256", null],
    ["tile/0/000.p/01", null],
    ["tile/0/000.p/", null],
    ["tile/data/000", null],
    ["tile/0/x999/x999/x999/x999/x999/x999/999", null],
    ["tile/-1/000", null],
    ["tile/0/../000", null],
  ])("%s", (path, request) => {
    expect(parseTilePath(path)).toEqual(request);
    if (request !== null) expect(tilePath(request, request.width)).toBe(path);
  });

  test("what is written is read", () => {
    fc.assert(
      fc.property(fc.nat(63), fc.nat(2 ** 40), fc.integer({ min: 1, max: 256 }), (level, index, width) => {
        expect(parseTilePath(tilePath({ level, index }, width))).toEqual({ level, index, width });
      }),
    );
  });
});

describe("bundles of entries", () => {
  test("are a length of two bytes and the entry", () => {
    expect(encodeEntryBundle([Uint8Array.of(1, 2), new Uint8Array(0), new Uint8Array(300)]).subarray(0, 8)).toEqual(
      Uint8Array.of(0, 2, 1, 2, 0, 0, 1, 44),
    );
    expect(() => encodeEntryBundle([new Uint8Array(65_536)])).toThrow(RangeError);
  });

  test("are read as they were written, and not when cut off", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 20 }), fc.nat(), (entries, cut) => {
        const bundle = encodeEntryBundle(entries);
        expect(decodeEntryBundle(bundle)).toEqual(entries);
        const shorter = decodeEntryBundle(bundle.subarray(0, cut % bundle.length));
        expect(shorter === null || shorter.length < entries.length).toBe(true);
      }),
    );
  });
});

describe("proof files and requests to witnesses", () => {
  const entry = Buffer.from('{"id":"ent_1"}');
  const sibling = sha256(Buffer.from("sibling"));
  const checkpoint = { origin, size: 2, root: tree.node(tree.leaf(entry), sibling) };
  const text = checkpointText(checkpoint);
  const note = formatNote(text, [log.sign(text)]);
  const file = formatTlogProof({ extra: entry, index: 0, proof: [sibling], checkpoint: note });

  test("[AUD-14] a proof is written as the standard says, and leads from the entry to the root", () => {
    expect(file.split("\n").slice(0, 5)).toEqual([
      "c2sp.org/tlog-proof@v1",
      "extra eyJpZCI6ImVudF8xIn0=",
      "index 0",
      Buffer.from(sibling).toString("base64"),
      "",
    ]);
    const parsed = parseTlogProof(file);
    if (parsed === null) throw new Error("the file was not read");
    expect(formatTlogProof(parsed)).toBe(file);
    expect(holdsTlogProof(tree, parsed, entry)).toBe(true);
    expect(holdsTlogProof(tree, parsed, Buffer.from("another entry"))).toBe(false);
    expect(holdsTlogProof(tree, { ...parsed, index: 1 }, entry)).toBe(false);
  });

  test.each<[string, string]>([
    ["another header", file.replace("@v1", "@v2")],
    ["carriage returns", file.replaceAll("\n", "\r\n")],
    ["a leading zero", file.replace("index 0", "index 00")],
    ["no index", file.replace("index 0\n", "")],
    ["extra data behind the index", file.replace(/(extra .*\n)(index 0\n)/, "$2$1")],
    ["bad base64", file.replace("extra e", "extra _")],
    ["a hash of another length", file.replace(Buffer.from(sibling).toString("base64"), "AAAA")],
    ["64 hashes", formatTlogProof({ extra: null, index: 0, proof: Array.from({ length: 64 }, () => sibling), checkpoint: note })],
    ["no checkpoint", file.slice(0, file.indexOf("\n\n") + 2)],
    ["more than anybody needs", file.replace("extra ", `extra ${"A".repeat(1_000_000)}`)],
  ])("a proof file is refused with %s", (_, given) => {
    expect(parseTlogProof(given)).toBeNull();
  });

  test("[AUD-14] the standard's own request to a witness is read and written", () => {
    // https://c2sp.org/tlog-witness
    const given =
      "old 20852014\nPlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\njrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n" +
      "5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=\n/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=\n\n" +
      "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n" +
      "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n" +
      "— example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=\n";
    const parsed = parseAddCheckpoint(given);
    expect(parsed).toMatchObject({ oldSize: 20_852_014, proof: { length: 4 } });
    expect(parsed === null ? "" : formatAddCheckpoint(parsed)).toBe(given);
    for (const bad of [given.replace("old ", "new "), given.replace("old 2", "old 02"), given.replace("PlRN", "PlR"), "", "old 1\n"]) {
      expect(parseAddCheckpoint(bad)).toBeNull();
    }
  });
});

describe("which keys sign", () => {
  const [first, second, third] = [testNoteKey(origin).key, testNoteKey(origin).key, testNoteKey(origin, "ml-dsa-44-cosignature").key];
  const changes = [
    { seq: 0, keys: { signing: [first], retired: [] } },
    { seq: 10, keys: { signing: [first, second], retired: [] } },
    { seq: 20, keys: { signing: [second, third], retired: [first] } },
  ];

  test.each([
    ["the first key at first", 5, [first], true],
    ["nobody", 5, [], false],
    ["the next key, before the entry that announces it is in", 10, [first], true],
    ["one of two in the overlap", 15, [first], false],
    ["both in the overlap", 15, [first, second], true],
    ["the old key when it was retired", 21, [first], false],
    ["the old key besides", 21, [first, second, third], true],
    ["without the second signature", 30, [second], false],
    ["as it is to be", 30, [second, third], true],
  ])("%s", (_, size, signedBy, isRight) => {
    expect(whyNotSigned(changes, size, signedBy) === null).toBe(isRight);
  });

  test("before the first statement any known key does", () => {
    expect(whyNotSigned([], 5, [first])).toBeNull();
    expect(ledgerKeysAt(changes, 0).must).toEqual([]);
  });

  test("a statement is read from the facts of its entry", () => {
    const data = { signing: [formatNoteKey(second)], retired: [formatNoteKey(first)] };
    expect(readLedgerKeySet(sha256, origin, data)).toEqual({ signing: [second], retired: [first] });
    expect(readLedgerKeySet(sha256, "another.example", data)).toBeNull();
    for (const bad of [{}, { signing: [], retired: [] }, { ...data, retired: [1] }, { ...data, signing: ["x"] }]) {
      expect(readLedgerKeySet(sha256, origin, bad)).toBeNull();
    }
  });
});
