import { mkdir, readFile, rename, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Json } from "@remit/contract";
import { canonicalJson, tarEnd, tarHeader, tarPadding } from "@remit/core";
import { beforeAll, expect, test } from "vitest";
import { makeBundle, openFolder, restate, testKey, writeFolder } from "./bundle.testing.ts";
import type { Trust } from "./trust.ts";
import type { Verdict } from "./verdict.ts";
import { verifyBundle } from "./verify-bundle.ts";

// Whoever makes these holds the ledger's key: nothing here is found by a signature alone.
const key = testKey();
const trust: Trust = { keys: [key.key], policy: null, kept: [], allowUnanchored: true };

type Files = Map<string, Buffer>;
let whole: Files;
beforeAll(async () => {
  whole = await makeBundle({ size: 40, checkpoints: [10], key });
});

async function verify(files: Files): Promise<Verdict> {
  await using folder = await openFolder();
  const path = await writeFolder(join(folder.path, "bundle"), files);
  const verdict = await verifyBundle(path, trust);
  return verdict;
}

const restated = (files: Files, change?: (statement: Record<string, Json>) => Json): Files => restate(files, key, change);

function withManifest(change: (manifest: Record<string, Json>) => Json | string): Files {
  const manifest = JSON.parse(String(whole.get("manifest.json"))) as Record<string, Json>;
  const changed = change(manifest);
  return restated(new Map(whole).set("manifest.json", Buffer.from(typeof changed === "string" ? changed : `${canonicalJson(changed)}\n`)));
}

function withLine(file: string, index: number, change: (line: string) => string | Buffer): Files {
  const lines = String(whole.get(file))
    .trimEnd()
    .split("\n")
    .map((line) => Buffer.from(line));
  const changed = change(String(lines[index]));
  lines[index] = Buffer.from(changed);
  return restated(new Map(whole).set(file, Buffer.concat(lines.flatMap((line) => [line, Buffer.from("\n")]))));
}

const entry = (change: (line: string) => string | Buffer) => () => withLine("entries-000001.jsonl", 7, change);
const payload = (change: (line: string) => string | Buffer) => () => withLine("payloads-000001.jsonl", 2, change);
const population = (change: Record<string, Json>) => () =>
  withManifest((manifest) => ({ ...manifest, population: { ...(manifest["population"] as Record<string, Json>), ...change } }));

const assessment = (change: (text: string) => string) => () =>
  restated(new Map(whole).set("assessment-results.json", Buffer.from(change(String(whole.get("assessment-results.json"))))));

const hostile: [string, () => Files, RegExp][] = [
  ["an entry with white space", entry((line) => line.replace('{"', '{ "')), /seq 7: .*not canonical JSON/],
  ["an entry with a name twice", entry((line) => line.replace('"actor"', '"actor":"agent:other","actor"')), /seq 7: .*not canonical JSON/],
  ["an entry with names out of order", entry((line) => `{"zzz":1,${line.slice(1)}`), /seq 7: .*not canonical JSON/],
  ["an entry with a number in another form", entry((line) => line.replace('"reason"', '"n":1.0,"reason"')), /seq 7: .*not canonical JSON/],
  [
    "an entry with a number that is too large",
    entry((line) => line.replace('"reason"', '"n":9007199254740993,"reason"')),
    /seq 7: .*not canonical JSON/,
  ],
  ["an entry with an escaped lone surrogate", entry((line) => line.replace("no grant", "\\ud800")), /seq 7: .*not canonical JSON/],
  [
    "an entry that is not UTF-8",
    entry((line) => Buffer.concat([Buffer.from(line.slice(0, 20)), Buffer.from([0xff]), Buffer.from(line.slice(20))])),
    /seq 7: .*not UTF-8/,
  ],
  ["an entry that is not JSON", entry(() => "hello"), /seq 7: .*not JSON/],
  ["an entry that is a list", entry(() => "[]"), /seq 7: .*not an object/],
  ["an entry that is nested too deep", entry(() => "[".repeat(3_000) + "]".repeat(3_000)), /seq 7: .*not canonical JSON/],
  ["an entry of another ledger", entry((line) => line.replace("test.example/ledger", "other.example/ledger")), /seq 7: .*another ledger/],
  [
    "an entry whose actor is a number",
    entry((line) => line.replace('"actor":"agent:triage"', '"actor":7')),
    /seq 7: .*no text as its actor/,
  ],
  [
    "an entry whose time is none",
    entry((line) => line.replace(/"time":"[^"]*"/, '"time":"2026-13-01T00:00:00.000Z"')),
    /seq 7: .*time that is none/,
  ],
  ["an entry that says it is missing", entry(() => "null"), /seq 7: .*was removed/],
  ["an entry longer than entries can be", entry((line) => line.replace("no grant", "x".repeat(70_000))), /more than 65535 bytes/],
  ["a payload that is another", payload((line) => line.replace('"value":{"seq":6}', '"value":{"seq":7}')), /seq 6: .*committed itself to/],
  [
    "a payload with another salt",
    payload((line) => line.replace(/"salt":"(.)/, (_, digit) => `"salt":"${digit === "0" ? 1 : 0}`)),
    /seq 6: .*committed itself to/,
  ],
  [
    "a payload with a salt in another form",
    payload((line) => line.replace(/"salt":"(\w+)"/, '"salt":"$1zz"')),
    /seq 6: .*committed itself to/,
  ],
  ["a payload in an unknown state", payload((line) => line.replace('"open"', '"fine"')), /no state of a payload/],
  ["a payload in a state of every object", payload((line) => line.replace('"open"', '"constructor"')), /no state of a payload/],
  ["a payload with a member more", payload((line) => line.replace('"seq"', '"note":1,"seq"')), /not canonical|should not have/],
  ["a payload at a place that is no number", payload((line) => line.replace('"seq":6', '"seq":6.5')), /not a whole number/],
  ["a payload at another place", payload((line) => line.replace('"seq":6,', '"seq":5,')), /seq 5: .*put in/],
  ["a payload twice", payload((line) => `${line}\n${line}`), /seq 6: .*put in/],
  [
    "a payload taken out",
    () =>
      restated(
        new Map(whole).set(
          "payloads-000001.jsonl",
          Buffer.from(String(whole.get("payloads-000001.jsonl")).split("\n").slice(1).join("\n")),
        ),
      ),
    /seq 0: .*not in the bundle/,
  ],
  ["a manifest of another version", () => withManifest((manifest) => ({ ...manifest, format: "remit-bundle/2" })), /reads remit-bundle\/1/],
  [
    "a manifest with a name twice",
    () => withManifest((manifest) => `{"asked":1,${canonicalJson(manifest).slice(1)}\n`),
    /manifest.json is not canonical/,
  ],
  ["a manifest with a member more", () => withManifest((manifest) => ({ ...manifest, more: 1 })), /should not have/],
  ["a manifest with a member less", () => withManifest(({ asked: _asked, ...manifest }) => manifest), /no member "asked"/],
  ["a manifest that is a list", () => withManifest(() => []), /not an object/],
  ["a manifest that claims more entries", population({ last: 40, count: 41 }), /does not reach|not that many/],
  ["a manifest that claims fewer entries", population({ last: 38, count: 39 }), /seq 39: .*more entries/],
  ["a manifest that claims a later beginning", population({ first: 1, count: 39 }), /do not stand for/],
  ["a manifest with a count that is none", population({ count: 39 }), /not that many/],
  ["a manifest with a fraction", population({ first: 0.5 }), /not a whole number/],
  ["a manifest with a negative number", population({ first: -1 }), /not a whole number/],
  ["a manifest with another root", population({ root: Buffer.alloc(32).toString("base64") }), /another root/],
  ["a manifest with base64 in another form", population({ root: "AB==" }), /not base64|instead of 32/],
  [
    "hashes before a range that has none",
    () => withManifest((manifest) => ({ ...manifest, proof: { left: [Buffer.alloc(32).toString("base64")], right: [] } })),
    /do not stand for/,
  ],
  [
    "hashes behind a range that has none",
    () => withManifest((manifest) => ({ ...manifest, proof: { left: [], right: [Buffer.alloc(32).toString("base64")] } })),
    /do not stand for/,
  ],
  [
    "a table that says something else",
    () =>
      restated(new Map(whole).set("table-000001.csv", Buffer.from(String(whole.get("table-000001.csv")).replace("no grant", "granted")))),
    /table-000001.csv does not say what the entries say/,
  ],
  [
    "an assessment that counts fewer entries of a type",
    assessment((said) => said.replace(/("value":)"40"(\}\],"relevant-evidence":[^\]]*\],"title":"remit\.action-denied")/, '$1"39"$2')),
    /assessment-results.json says that the count of remit.action-denied is 39, and it is 40/,
  ],
  [
    "an assessment of a type that there is not",
    assessment((said) => said.replaceAll("remit.action-denied", "remit.action-allowed")),
    /says nothing of remit.action-denied[^]*the count of remit.action-allowed is 40, and it is 0/,
  ],
  [
    "an assessment of another population",
    assessment((said) => said.replace(/("name":"tree-size".*?"value":)"40"/, '$1"90"')),
    /says that the tree-size is 90, and it is 40/,
  ],
  [
    "an assessment without results",
    assessment((said) => said.replace('"results":', '"resulte":')),
    /assessment-results.json has no results/,
  ],
  ["a table less", () => restated(new Map([...whole].filter(([name]) => name !== "table-000001.csv"))), /table-000001.csv/],
  [
    "a table more",
    () => restated(new Map(whole).set("table-000002.csv", Buffer.from("1,2,3\r\n"))),
    /table-000002.csv belongs to no entries/,
  ],
  [
    "a list of leaves with one changed",
    () => restated(new Map(whole).set("leaves-000001.bin", flipped(whole.get("leaves-000001.bin"), 32 * 9))),
    /seq 9: .*list of leaf hashes was changed/,
  ],
  [
    "a list of leaves with one more",
    () =>
      restated(
        new Map(whole).set("leaves-000001.bin", Buffer.concat([whole.get("leaves-000001.bin") ?? Buffer.alloc(0), Buffer.alloc(32)])),
      ),
    /taken out/,
  ],
  [
    "a list of leaves with one less",
    () => restated(new Map(whole).set("leaves-000001.bin", (whole.get("leaves-000001.bin") ?? Buffer.alloc(0)).subarray(0, -32))),
    /seq 39: .*no hash/,
  ],
  [
    "a checkpoint taken out of the middle",
    () =>
      restated(
        new Map(whole).set("checkpoints.jsonl", Buffer.from(String(whole.get("checkpoints.jsonl")).split("\n").slice(1).join("\n"))),
      ),
    /another first checkpoint/,
  ],
  [
    "the last checkpoint taken out",
    () => restated(new Map(whole).set("checkpoints.jsonl", Buffer.from(`${String(whole.get("checkpoints.jsonl")).split("\n")[0]}\n`))),
    /should prove the range is not there/,
  ],
  [
    "checkpoints out of order",
    () =>
      restated(
        new Map(whole).set(
          "checkpoints.jsonl",
          Buffer.from(`${String(whole.get("checkpoints.jsonl")).trimEnd().split("\n").reverse().join("\n")}\n`),
        ),
      ),
    /not in order|should prove/,
  ],
  ["a file that no bundle has", () => restated(new Map(whole).set("notes.txt", Buffer.from("hello"))), /no file of a bundle/],
  ["a part with the number 0", () => restated(new Map(whole).set("entries-000000.jsonl", Buffer.from("null\n"))), /no file of a bundle/],
  [
    "a part whose predecessor is missing",
    () => restated(new Map(whole).set("entries-000003.jsonl", Buffer.from("null\n"))),
    /Part 2 of the entries is missing/,
  ],
  ["a file that the statement does not name", () => new Map(whole).set("payloads-000002.jsonl", Buffer.from("")), /not among the files/],
  [
    "a statement about something else",
    () => restated(whole, (statement) => ({ ...statement, predicateType: "https://example.org/else" })),
    /states something else/,
  ],
  [
    "a statement that claims something else",
    () =>
      restated(whole, (statement) => ({
        ...statement,
        predicate: { ...(statement["predicate"] as Record<string, Json>), exportedBy: "party:nobody" },
      })),
    /claims something else/,
  ],
  [
    "no statement",
    () => new Map([...whole].filter(([name]) => name !== "statement.intoto.json")),
    /statement.intoto.json is (missing|cut off)/,
  ],
  ["no manifest", () => new Map([...whole].filter(([name]) => name !== "manifest.json")), /manifest.json is (missing|cut off)/],
  ["an empty folder", () => new Map(), /manifest.json is (missing|cut off)/],
];

test.each(hostile)("[AUD-14] %s is refused in clear words", async (_name, make, says) => {
  const verdict = await verify(make());
  expect(["tampered", "incomplete"]).toContain(verdict.verdict);
  expect(verdict.problems.map(({ seq, what }) => (seq === null ? what : `seq ${seq}: ${what}`)).join("\n")).toMatch(says);
});

function flipped(content: Buffer = Buffer.alloc(0), at = 0): Buffer {
  const changed = Buffer.from(content);
  changed[at] = (changed[at] ?? 0) ^ 1;
  return changed;
}

test("what says nothing false verifies: the cases above differ from it in one thing each", async () => {
  expect(await verify(restated(whole))).toMatchObject({ verdict: "ok", problems: [] });
});

test("a folder with links, folders or devices in it is refused, and nothing outside it is read", async () => {
  await using folder = await openFolder();
  const path = await writeFolder(join(folder.path, "bundle"), whole);
  const outside = join(folder.path, "outside");
  await rename(join(path, "keys.txt"), outside);
  await symlink(outside, join(path, "keys.txt"));
  expect((await verifyBundle(path, trust)).problems[0]?.what).toMatch(/keys.txt is not a plain file but a symbolic link/);
  await symlink(path, join(folder.path, "link"));
  expect((await verifyBundle(join(folder.path, "link"), trust)).problems[0]?.what).toMatch(/symbolic link/);
  const other = await writeFolder(join(folder.path, "other"), whole);
  await mkdir(join(other, "entries-000002.jsonl"));
  expect((await verifyBundle(other, trust)).problems[0]?.what).toMatch(/not a plain file/);
});

type Member = { name: string; content?: Buffer; change?: (header: Buffer) => void };

function archive(members: readonly Member[]): Buffer {
  return Buffer.concat([
    ...members.flatMap(({ name, content = Buffer.alloc(0), change }) => {
      const header = Buffer.from(tarHeader({ name, size: content.length }, new Date(0)));
      if (change !== undefined) {
        change(header);
        header.write("        ", 148);
        header.write(
          `${header
            .reduce((sum, byte) => sum + byte, 0)
            .toString(8)
            .padStart(6, "0")}\0 `,
          148,
        );
      }
      return [header, content, tarPadding(content.length)];
    }),
    tarEnd,
  ]);
}

const archives: [string, () => Buffer, RegExp][] = [
  ["a path that leads out", () => archive([{ name: "../entries-000001.jsonl" }]), /no file of a bundle/],
  ["an absolute path", () => archive([{ name: "/etc/passwd" }]), /no file of a bundle/],
  ["a name in two parts", () => archive([{ name: "keys.txt", change: (header) => void header.write("../..", 345) }]), /name in two parts/],
  ["a symbolic link", () => archive([{ name: "keys.txt", change: (header) => void header.write("2", 156) }]), /symbolic link/],
  ["a hard link", () => archive([{ name: "keys.txt", change: (header) => void header.write("1", 156) }]), /hard link/],
  ["an extended header", () => archive([{ name: "keys.txt", change: (header) => void header.write("x", 156) }]), /extended header/],
  ["a folder", () => archive([{ name: "keys.txt", change: (header) => void header.write("5", 156) }]), /a folder/],
  ["a size in base 256", () => archive([{ name: "keys.txt", change: (header) => void (header[124] = 0x80) }]), /not in octal/],
  ["a size beyond its end", () => archive([{ name: "keys.txt", change: (header) => void header.write("77777777777", 124) }]), /cut off/],
  ["a wrong checksum", () => flipped(archive([{ name: "keys.txt" }]), 0), /checksum is wrong/],
  ["one name twice", () => archive([{ name: "keys.txt" }, { name: "keys.txt" }]), /two files with the name keys.txt/],
  [
    "a name with an escape sequence",
    () => archive([{ name: "keys.txt", change: (header) => void header.write("\u001b[2Jx", 0) }]),
    /holds "·\[2J/,
  ],
  ["no end", () => archive([{ name: "keys.txt", content: Buffer.from("x") }]).subarray(0, -1024), /ends in the middle/],
  ["gzip", () => gzipSync(Buffer.alloc(10_000_000)), /compressed \(gzip\)/],
  ["nothing", () => Buffer.alloc(0), /ends in the middle/],
  ["text", () => Buffer.from("hello ".repeat(200)), /not a bundle/],
];

test.each(archives)("an archive with %s is refused in clear words", async (_name, make, says) => {
  await using folder = await openFolder();
  const path = join(folder.path, "bundle.tar");
  await writeFile(path, make());
  const verdict = await verifyBundle(path, trust);
  expect(["tampered", "incomplete"]).toContain(verdict.verdict);
  expect(verdict.problems[0]?.what).toMatch(says);
});

test("a file that cannot be read makes a bundle incomplete, and the verifier does not die of it", async () => {
  // The memory of this process is a plain file, and the first byte of it belongs to nobody.
  expect(await verifyBundle("/proc/self/mem", trust)).toMatchObject({ verdict: "incomplete", exit: 3 });
});

test("a line without an end takes no memory", async () => {
  await using folder = await openFolder();
  const path = await writeFolder(join(folder.path, "bundle"), whole);
  await writeFile(join(path, "entries-000001.jsonl"), Buffer.alloc(50_000_000, 0x61));
  expect((await verifyBundle(path, trust)).problems.map(({ what }) => what).join()).toMatch(
    /A line of entries-000001.jsonl has more than 65535 bytes/,
  );
  expect((await readFile(join(path, "entries-000001.jsonl"))).length).toBe(50_000_000);
});
