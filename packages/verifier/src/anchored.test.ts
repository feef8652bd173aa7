import { generateKeyPairSync, sign } from "node:crypto";
import { join } from "node:path";
import {
  cosignedText,
  formatNoteKey,
  joinTimestamp,
  noteKey,
  parseNote,
  parseNoteKey,
  parseWitnessPolicy,
  signatureLine,
} from "@remit/core";
import { exportTo, fill, openTestLedger, startAudit, startExports } from "@remit/server/testing";
import { expect, test } from "vitest";
import { makeBundle, openFolder, restate, testKey, untar, writeFolder } from "./bundle.testing.ts";
import { sha256 } from "./crypto.ts";
import type { Trust } from "./trust.ts";
import type { Verdict } from "./verdict.ts";
import { verifyBundle } from "./verify-bundle.ts";
import { readFile } from "node:fs/promises";

const key = testKey();
const trust: Trust = { keys: [key.key], policy: null, kept: [], allowUnanchored: false };

async function verify(files: ReadonlyMap<string, Buffer>, more: Partial<Trust>): Promise<Verdict> {
  await using folder = await openFolder();
  const path = await writeFolder(join(folder.path, "bundle"), files);
  const verdict = await verifyBundle(path, { ...trust, ...more });
  return verdict;
}

function witness(name: string) {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const key = noteKey(sha256, name, "ed25519-cosignature", publicKey.export({ type: "spki", format: "der" }).subarray(-32));
  return {
    line: `witness ${name.split(".")[0] ?? ""} ${formatNoteKey(key)}`,
    cosign(note: string, seconds = 1_795_000_000): string {
      const text = parseNote(note)?.text ?? "";
      const signature = joinTimestamp(seconds, sign(null, Buffer.from(cosignedText(text, seconds)), privateKey));
      return `${note}${signatureLine({ ...key, signature })}`;
    },
  };
}

function policyOf(witnesses: readonly { line: string }[], quorum: number): NonNullable<Trust["policy"]> {
  const names = witnesses.map(({ line }) => line.split(" ")[1] ?? "");
  const reading = parseWitnessPolicy(
    sha256,
    [...witnesses.map(({ line }) => line), `group all ${quorum} ${names.join(" ")}`, "quorum all", ""].join("\n"),
  );
  if (reading.type === "refused") throw new Error(JSON.stringify(reading.problems));
  return reading.policy;
}

test("[AUD-14] WITNESSED is said where as many organisations as it takes have signed a checkpoint over all of the range", async () => {
  const [one, two, stranger] = [witness("one.example"), witness("two.example"), witness("stranger.example")];
  const files = (note: (note: string) => string) => makeBundle({ size: 60, checkpoints: [20], key, note });
  const all = (note: string) => two.cosign(one.cosign(note));
  const by = async (note: (note: string) => string, quorum: number) => {
    const { verdict, anchoring, warnings } = await verify(await files(note), { policy: policyOf([one, two], quorum) });
    return { verdict, status: anchoring.status, organisations: anchoring.organisations.length, warnings: warnings.length };
  };
  expect(await by(all, 2)).toEqual({ verdict: "ok", status: "WITNESSED", organisations: 2, warnings: 0 });
  expect(await by((note) => one.cosign(note), 1)).toEqual({ verdict: "ok", status: "WITNESSED", organisations: 1, warnings: 0 });
  expect(await by((note) => one.cosign(note), 2)).toMatchObject({ verdict: "unanchored", status: "UNANCHORED" });
  expect(await by((note) => one.cosign(one.cosign(note)), 2)).toMatchObject({ verdict: "unanchored" });
  expect(await by((note) => stranger.cosign(note), 1)).toMatchObject({ verdict: "unanchored" });
  expect(await by((note) => note, 1)).toMatchObject({ verdict: "unanchored", warnings: 0 });
  // Seen up to a third of the range: the rest could still be anything.
  expect(await by((note) => (note.includes("\n20\n") ? all(note) : note), 2)).toEqual({
    verdict: "unanchored",
    status: "UNANCHORED",
    organisations: 0,
    warnings: 1,
  });
  const forged = (note: string) => one.cosign(note).replace(/.{8}\n$/, "AAAAAAA=\n");
  expect(await by(forged, 1)).toMatchObject({ verdict: "tampered" });
});

test("[AUD-14] a checkpoint that somebody kept anchors what it covers, and contradicts a ledger that was rewritten or rolled back", async () => {
  await using test = await openTestLedger();
  await using folder = await openFolder();
  await fill(test, [7, 20]);
  const early = (await startAudit(test).checkpoint())?.note ?? "";
  await fill(test, [33, 9]);
  const late = (await startAudit(test).checkpoint())?.note ?? "";
  const exports = startExports(test);
  const path = await exportTo(exports, join(folder.path, "a.tar"));
  const keys = String(untar(await readFile(path)).get("keys.txt"))
    .trim()
    .split("\n");
  const own: Trust = { ...trust, keys: keys.flatMap((text) => parseNoteKey(sha256, text) ?? []) };
  const looked = async (path: string, kept: string[]) => {
    const { verdict, anchoring, problems } = await verifyBundle(path, { ...own, kept });
    return { verdict, status: anchoring.status, kept: anchoring.kept, problems: problems.map(({ what }) => what).join() };
  };
  expect(await looked(path, [late])).toEqual({ verdict: "ok", status: "KEPT", kept: [69], problems: "" });
  expect(await looked(path, [early])).toEqual({ verdict: "unanchored", status: "UNANCHORED", kept: [27], problems: "" });
  // A range that begins after it needs the proof in the bundle.
  const behind = await exportTo(exports, join(folder.path, "b.tar"), { from: "40", to: "50" });
  expect(await looked(behind, [early])).toMatchObject({ verdict: "incomplete", problems: expect.stringMatching(/--since/) as string });
  const joined = await exportTo(exports, join(folder.path, "c.tar"), { from: "40", to: "50", since: early });
  expect(await looked(joined, [early])).toMatchObject({ verdict: "unanchored", kept: [27], problems: "" });
  // Somebody else's is of no use.
  expect(await looked(path, ["nonsense"])).toMatchObject({ verdict: "incomplete" });
  await test.sequencer.stop();
  for (const table of ["ledger_checkpoint WHERE size > 27", "ledger_leaf WHERE seq >= 27"])
    await test.superuser.query(`DELETE FROM ${table}`);
  const rolledBack = await exportTo(exports, join(folder.path, "d.tar"));
  expect(await looked(rolledBack, [])).toMatchObject({ verdict: "unanchored", problems: "" });
  expect(await looked(rolledBack, [late])).toMatchObject({
    verdict: "incomplete",
    problems: expect.stringMatching(/rolled back/) as string,
  });
});

test("[AUD-14] a checkpoint that witnesses signed does not lend its name to a tree that it is not joined to", async () => {
  const one = witness("one.example");
  // The ledger that was witnessed, and the one that whoever holds its key wrote anew: longer, and seen by nobody.
  const seen = await makeBundle({ size: 70, key, note: (note) => one.cosign(note) });
  const genuine = String(seen.get("checkpoints.jsonl")).trim();
  const [note = ""] = [...genuine.matchAll(/"note":(".*")\}/g)].map(([, text = ""]) => JSON.parse(text) as string);
  const rewritten = await makeBundle({ size: 100, last: 49, key, checkpoints: [20] });
  const [first = "", last = ""] = String(rewritten.get("checkpoints.jsonl")).trim().split("\n");
  const lent = restate(new Map(rewritten).set("checkpoints.jsonl", Buffer.from(`${first}\n${genuine}\n${last}\n`)), key);
  const policy = policyOf([one], 1);
  expect(await verify(rewritten, { policy })).toMatchObject({ verdict: "unanchored" });
  for (const kept of [[], [note]])
    expect(await verify(lent, { policy, kept })).toMatchObject({
      verdict: "tampered",
      anchoring: { status: "UNANCHORED", kept: [] },
      firstWrong: { what: expect.stringMatching(/Nothing joins the checkpoint of 70 entries/) as string },
    });
});
