import { generateKeyPairSync, sign } from "node:crypto";
import { join } from "node:path";
import { formatNoteKey, joinTimestamp, noteKey, parseCheckpoint, parseNote, signatureLine, signedMessage, signNote } from "@remit/core";
import type { LedgerEvent } from "@remit/contract";
import { exportTo, openAnchoredLedger, startExports } from "@remit/server/testing";
import { expect, test } from "vitest";
import { makeBundle, openFolder, restate, testKey, testOrigin, writeFolder } from "./bundle.testing.ts";
import type { TestBundle } from "./bundle.testing.ts";
import { runVerifier } from "./command-line.ts";
import { sha256 } from "./crypto.ts";
import type { Trust } from "./trust.ts";
import { verifyBundle } from "./verify-bundle.ts";

const [old, next] = [testKey(), testKey()];

/** At entry 30 the old key is replaced by the next one. */
const change = (signing: readonly string[], retired: readonly string[]) => (event: LedgerEvent, seq: number) =>
  seq === 30
    ? {
        ...event,
        type: "remit.ledger-keys-changed",
        data: { origin: testOrigin, signing: [...signing], retired: [...retired], why: "due" },
      }
    : event;
const replaced = change([next.text], [old.text]);
const sizeOf = (note: string): number => parseCheckpoint(parseNote(note)?.text ?? "")?.size ?? 0;
const signedBy = (from: number, key: typeof old) => (note: string) =>
  sizeOf(note) < from ? note : signNote(parseNote(note)?.text ?? "", key.signer);

async function look(bundle: Partial<TestBundle>, { stated = next, ...more }: Partial<Trust> & { stated?: typeof old } = {}) {
  await using folder = await openFolder();
  const files = await makeBundle({
    payloads: "none",
    size: 60,
    checkpoints: [20, 45],
    key: old,
    event: replaced,
    note: signedBy(31, next),
    ...bundle,
  });
  const path = await writeFolder(join(folder.path, "bundle"), restate(files, stated));
  const keys = [old.key, next.key];
  const { verdict, problems } = await verifyBundle(path, { keys, policy: null, kept: [], allowUnanchored: true, ...more });
  return [verdict, problems.map(({ what }) => what).join("; ")];
}

test("[AUD-14] a key that the ledger has retired signs nothing after that, neither checkpoints nor what a bundle states", async () => {
  expect(await look({})).toEqual(["ok", ""]);
  // Whoever has taken the old key signs with it alone, from some place on.
  expect(await look({ note: signedBy(46, next) })).toEqual([
    "tampered",
    expect.stringMatching(/^The checkpoint of 45 entries is signed with a key alone/),
  ]);
  expect(await look({ note: (note) => note })).toEqual(["tampered", expect.stringMatching(/of 45 entries.*; .*of 60 entries/)]);
  expect(await look({}, { stated: old })).toEqual([
    "tampered",
    expect.stringMatching(/^What the bundle states of itself is signed with a key alone/),
  ]);
  // A range in front of the change is proved by a checkpoint behind it, which bears the next key; of that key the range says nothing.
  expect(
    await look({
      last: 25,
      checkpoints: [20],
      event: (event, seq) => (seq === 0 ? change([old.text], [])(event, 30) : replaced(event, seq)),
    }),
  ).toEqual(["ok", ""]);
});

test("[AUD-14] where the range does not say that a key was retired, whoever trusts it does", async () => {
  const behind = { first: 40, checkpoints: [], note: (note: string) => note };
  expect(await look(behind, { stated: old })).toEqual(["ok", ""]);
  const retired = new Map([[old.text, 30]]);
  expect(await look(behind, { stated: old, retired })).toEqual([
    "tampered",
    expect.stringMatching(/^The checkpoint of 60 entries is signed with a key alone.*; What the bundle states/),
  ]);
  expect(await look({ first: 40, checkpoints: [] }, { retired })).toEqual(["ok", ""]);
  expect(await look({ first: 10, last: 25, checkpoints: [20] }, { retired })).toEqual(["ok", ""]);
});

test("[AUD-14] a signature with ML-DSA-44 that is due is demanded of whoever trusts its key, and never believed unread", async () => {
  const { publicKey, privateKey } = generateKeyPairSync("ml-dsa-44");
  const key = noteKey(sha256, testOrigin, "ml-dsa-44-cosignature", publicKey.export({ type: "spki", format: "der" }).subarray(-1312));
  const second = (note: string, seconds = 1_795_000_000, lie = 0): string => {
    const message = signedMessage(key, parseNote(note)?.text ?? "", seconds) ?? new Uint8Array();
    return `${note}${signatureLine({ ...key, signature: joinTimestamp(seconds + lie, sign(null, message, privateKey)) })}`;
  };
  const both = change([old.text, formatNoteKey(key)], []);
  const seen = (note: (note: string) => string, keys = [old.key, key]) => look({ event: both, note }, { stated: old, keys });
  expect(await seen((note) => second(note))).toEqual(["ok", ""]);
  expect(await seen((note) => (sizeOf(note) === 20 ? note : second(note)))).toEqual(["ok", ""]);
  expect(await seen((note) => (sizeOf(note) === 45 ? note : second(note)))).toEqual([
    "tampered",
    expect.stringMatching(/of 45 entries lacks the signature of test/),
  ]);
  expect(await seen((note) => second(note, 1_795_000_000, 1))).toEqual(["tampered", expect.stringMatching(/is not over this text/)]);
  // Who does not know the second key checks the first.
  expect(await seen((note) => note, [old.key])).toEqual(["ok", ""]);
});

test("[AUD-14] bundles of a ledger whose keys are being replaced verify with the old keys, with the new ones, and with those that a server lists", async () => {
  await using ledger = await openAnchoredLedger();
  await using folder = await openFolder();
  const exports = startExports(ledger);
  const output = { out: () => {}, err: () => {} };
  let next = 0;
  const exits = async (request: { from?: string; to?: string }, ...keys: string[]) => {
    const path = await exportTo(exports, join(folder.path, `${(next += 1)}.tar`), request);
    return runVerifier([path, "--allow-unanchored", ...keys.flatMap((key) => ["--key", key])], output);
  };
  await ledger.fill(3);
  const [first = ""] = (await ledger.ledgerKeys.view()).keys.map(({ vkey }) => vkey);
  const [, second = ""] = (await ledger.ledgerKeys.begin("party:ada")).keys.map(({ vkey }) => vkey);
  await ledger.fill(3);
  for (const keys of [[first], [second], [first, second]]) expect(await exits({ from: "5" }, ...keys)).toBe(0);
  await ledger.ledgerKeys.finish("party:ada");
  await ledger.fill(3);
  const [retired] = (await ledger.ledgerKeys.view()).keys;
  const until = `${first} until ${retired?.retired?.seq ?? 0}`;
  expect(await exits({}, until, second)).toBe(0);
  expect(await exits({ to: "2" }, until, second)).toBe(0);
  expect(await exits({ to: "2" }, second)).toBe(0);
  expect(await exits({}, first)).toBe(1);
  expect(await exits({}, `${first} until`)).toBe(2);
});
