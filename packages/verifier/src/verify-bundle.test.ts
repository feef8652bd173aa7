import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { eraseKey, exportTo, fill, openTestLedger, startExports } from "@remit/server/testing";
import { beforeAll, expect, test } from "vitest";
import { makeBundle, openFolder, testKey, untar, writeFolder } from "./bundle.testing.ts";
import type { TestBundle } from "./bundle.testing.ts";
import { runVerifier } from "./command-line.ts";
import type { Trust } from "./trust.ts";
import type { Verdict } from "./verdict.ts";
import { verifyBundle } from "./verify-bundle.ts";

const key = testKey();
const trust: Trust = { keys: [key.key], policy: null, kept: [], allowUnanchored: true };

async function verify(files: ReadonlyMap<string, Buffer>, more: Partial<Trust> = {}): Promise<Verdict> {
  await using folder = await openFolder();
  const path = await writeFolder(join(folder.path, "bundle"), files);
  const verdict = await verifyBundle(path, { ...trust, ...more });
  return verdict;
}

const bundle = (more: Partial<TestBundle> = {}) => makeBundle({ size: 120, checkpoints: [40, 90], key, ...more });

let whole: Map<string, Buffer>;
beforeAll(async () => {
  whole = await bundle();
});

test("[AUD-14] an export of a real ledger verifies, whole and in part, as an archive, with payloads in each form", async () => {
  await using test = await openTestLedger();
  await using folder = await openFolder();
  await fill(test, [1, 200, 99, 150], (seq) =>
    seq % 3 === 0 ? { payloads: [{ name: "arguments", subject: `customer:${seq % 5}`, value: { seq } }] } : {},
  );
  const exports = startExports(test);
  await eraseKey(test, "customer:3");
  const out = { text: "" };
  const output = { out: (text: string) => void (out.text += text), err: () => {} };
  const untrusted = await verifyBundle(await exportTo(exports, join(folder.path, "a.tar")), { ...trust, keys: [] });
  expect(untrusted).toMatchObject({ verdict: "incomplete", exit: 3, key: { trusted: false }, problems: [], checked: 451 });
  const keys =
    untar(await readFile(join(folder.path, "a.tar")))
      .get("keys.txt")
      ?.toString() ?? "";
  const ledgerKey = keys.trim();
  const cases = [
    [{}, { checked: 452, payloads: { form: "sealed", committed: 150, sealed: 120, open: 0, erased: 30 } }],
    [
      { from: "10", to: "333", payloads: "open" },
      { checked: 324, payloads: { form: "open", committed: 108, sealed: 0, open: 86, erased: 22 } },
    ],
    [
      { from: "7", to: "7", payloads: "none" },
      { checked: 1, payloads: { form: "none", committed: 0 } },
    ],
  ] as const;
  for (const [index, [request, found]] of cases.entries()) {
    const path = await exportTo(exports, join(folder.path, `${index}.tar`), request);
    expect(await runVerifier([path, "--key", ledgerKey], output)).toBe(4);
    out.text = "";
    expect(await runVerifier([path, "--key", ledgerKey, "--allow-unanchored", "--json"], output)).toBe(0);
    expect(JSON.parse(out.text)).toMatchObject({ verdict: "ok", problems: [], ...found });
  }
});

test("[AUD-14] a bundle without a key that is trusted is never ok, and says so loudly", async () => {
  expect(await verify(whole, { keys: [] })).toMatchObject({ verdict: "incomplete", problems: [], key: { trusted: false } });
  expect(await verify(whole, { keys: [testKey().key] })).toMatchObject({ verdict: "tampered" });
  expect(await verify(whole)).toMatchObject({ verdict: "ok", checked: 120 });
  expect(await verify(whole, { allowUnanchored: false })).toMatchObject({ verdict: "unanchored", exit: 4 });
});

test("[AUD-14] one changed byte in an entry names that entry; one in any other file names the file", async () => {
  for (const seq of [0, 1, 39, 40, 89, 90, 119]) {
    const body = whole.get("entries-000001.jsonl")?.toString().split("\n") ?? [];
    body[seq] = (body[seq] ?? "").replace("no grant", "no grand");
    const verdict = await verify(new Map(whole).set("entries-000001.jsonl", Buffer.from(body.join("\n"))));
    expect(verdict).toMatchObject({ verdict: "tampered", exit: 1, firstWrong: { seq } });
  }
  for (const [name, content] of whole) {
    const changed = Buffer.from(content);
    const at = Math.floor(changed.length / 2);
    changed[at] = (changed[at] ?? 0) ^ 1;
    const verdict = await verify(new Map(whole).set(name, changed));
    expect(verdict, name).toMatchObject({ verdict: "tampered" });
    expect(JSON.stringify(verdict.problems), name).toContain(name);
  }
});

test("[AUD-14] entries that are taken out, put in, exchanged or cut off are found at their place", async () => {
  const lines = whole.get("entries-000001.jsonl")?.toString().trimEnd().split("\n") ?? [];
  const changed: [string, (lines: string[]) => string[], Partial<Verdict> | object][] = [
    ["taken out", (all) => all.toSpliced(57, 1), { verdict: "tampered", firstWrong: { seq: 57 } }],
    ["put in", (all) => all.toSpliced(57, 0, all[3] ?? ""), { verdict: "tampered", firstWrong: { seq: 57 } }],
    ["exchanged", (all) => all.with(20, all[70] ?? "").with(70, all[20] ?? ""), { verdict: "tampered", firstWrong: { seq: 20 } }],
    ["cut off", (all) => all.slice(0, 100), { firstWrong: { seq: 100 } }],
  ];
  for (const [name, change, found] of changed) {
    const text = `${change(lines).join("\n")}\n`;
    expect(await verify(new Map(whole).set("entries-000001.jsonl", Buffer.from(text))), name).toMatchObject(found);
  }
});

test("[AUD-14] every range of a small ledger verifies against the checkpoint over all of it", async () => {
  for (const size of [1, 2, 5, 8, 11]) {
    for (let first = 0; first < size; first += 1) {
      for (let last = first; last < size; last += 1) {
        const verdict = await verify(await makeBundle({ size, first, last, key, payloads: "none" }));
        expect(verdict, `${first}-${last} of ${size}`).toMatchObject({ verdict: "ok", checked: last - first + 1 });
      }
    }
  }
});

test("an archive that is cut off anywhere is never ok", async () => {
  await using test = await openTestLedger();
  await using folder = await openFolder();
  await fill(test, [30]);
  const path = await exportTo(startExports(test), join(folder.path, "a.tar"));
  const archive = await readFile(path);
  expect((await verifyBundle(path, { ...trust, keys: [] })).problems).toEqual([]);
  for (let length = 0; length < archive.length - 1024; length += 1_777) {
    const cut = join(folder.path, "cut.tar");
    await writeFile(cut, archive.subarray(0, length));
    expect((await verifyBundle(cut, { ...trust, keys: [] })).problems, String(length)).not.toEqual([]);
  }
});

test("[AUD-14] what is missing, however much, does not hide what was changed", async () => {
  const size = 7_000;
  const many = await bundle({ size, checkpoints: [], part: { entries: 20_000, bytes: 64 * 1024 * 1024 } });
  const lines = String(many.get("entries-000001.jsonl")).split("\n");
  const without = (seq: number) => {
    const changed = lines.with(seq, (lines[seq] ?? "").replace("no grant", "no grand"));
    return new Map(many).set("payloads-000001.jsonl", Buffer.from("")).set("entries-000001.jsonl", Buffer.from(changed.join("\n")));
  };
  for (const seq of [1, 3, size - 1])
    expect(await verify(without(seq)), String(seq)).toMatchObject({ verdict: "tampered", exit: 1, firstWrong: { kind: "tampered", seq } });
  // Thousands of changed payloads, known before the root that tells of an entry in front of them.
  const payloads = String(many.get("payloads-000001.jsonl")).replaceAll(/"value":\{"seq":(\d{2,})\}/g, '"value":{"seq":0}');
  expect(payloads.match(/"seq":0\}/g)?.length).toBeGreaterThan(2_200);
  expect(await verify(without(1).set("payloads-000001.jsonl", Buffer.from(payloads)))).toMatchObject({ firstWrong: { seq: 1 } });
});
