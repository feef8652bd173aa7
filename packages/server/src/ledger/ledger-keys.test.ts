import { checkpointText, formatNote, formatNoteKey, noteVerifier, parseCheckpoint, readNote } from "@remit/core";
import { describe, expect, test } from "vitest";
import { openAnchoredLedger, policyOf, startTestWitness } from "../anchor/anchors.testing.ts";
import type { AnchoredLedger } from "../anchor/anchors.testing.ts";
import { noteCrypto } from "../keys/note-crypto.ts";
import { generatePrivateKey, localSigner, signLine } from "../keys/note-signer.ts";
import { addLog } from "../witness/witness-folder.ts";
import { parseWitnessPolicy } from "@remit/core";
import { defaultOrigin } from "./ledger-key.ts";
import { createTreeStore } from "./tree-store.postgres.ts";

const nobody = () => {
  const reading = parseWitnessPolicy(noteCrypto.hash, "quorum none\n");
  if (reading.type === "refused") throw new Error("no policy");
  return reading.policy;
};

async function verify(ledger: AnchoredLedger) {
  return ledger.audit(await ledger.watch(nobody())).verify();
}

/** The keys whose signatures the newest checkpoint bears. */
async function signers(ledger: AnchoredLedger): Promise<string[]> {
  const { known } = await ledger.ledgerKeys.history();
  const { checkpoint } = await createTreeStore(ledger.database).last();
  const reading = readNote(
    checkpoint?.note ?? "",
    known.map((key) => noteVerifier(noteCrypto, key)),
  );
  return reading.type === "signed" ? reading.signed.map(({ verifier }) => formatNoteKey(verifier.key)) : [];
}

test("[AUD-14] keys are replaced with an overlap; what was signed before verifies, and what signs is stated in the ledger", async () => {
  await using ledger = await openAnchoredLedger();
  await ledger.fill(3);
  const [first] = (await ledger.ledgerKeys.view()).keys;
  expect(await signers(ledger)).toEqual([first?.vkey]);

  const begun = await ledger.ledgerKeys.begin("party:ada");
  expect(begun.keys.map(({ state }) => state)).toEqual(["signing", "signing"]);
  await ledger.fill(3);
  expect(await signers(ledger)).toEqual(begun.keys.map(({ vkey }) => vkey));
  await expect(ledger.ledgerKeys.begin("party:ada")).rejects.toMatchObject({ code: "conflict" });

  const finished = await ledger.ledgerKeys.finish("party:ada");
  expect(finished.keys.map(({ state }) => state)).toEqual(["retired", "signing"]);
  await ledger.fill(3);
  expect(await signers(ledger)).toEqual([begun.keys[1]?.vkey]);
  await expect(ledger.ledgerKeys.finish("party:ada")).rejects.toMatchObject({ code: "conflict" });

  expect(await verify(ledger)).toMatchObject({ ok: true, size: 12 });
  const stated = await ledger.database.query<{ body: Buffer }>(
    "SELECT e.body FROM ledger_entry e JOIN ledger_leaf l ON l.entry_id = e.id WHERE type = 'ledger-keys-changed' ORDER BY seq",
  );
  const facts = stated.map(({ body }) => (JSON.parse(body.toString()) as { data: { signing: string[]; retired: string[] } }).data);
  expect(facts.map(({ signing, retired }) => [signing.length, retired.length])).toEqual([
    [1, 0],
    [2, 0],
    [1, 1],
  ]);
  expect((await ledger.ledgerKeys.view()).keys[0]).toMatchObject({ state: "retired", since: { seq: 0 }, retired: { seq: 8 } });
});

test("[AUD-14] with ML-DSA-44 each checkpoint bears a second signature that does not rest on elliptic curves", async () => {
  await using ledger = await openAnchoredLedger({ postQuantum: true });
  await ledger.fill(3);
  expect((await signers(ledger)).map((vkey) => vkey.split("+")[2]?.slice(0, 2))).toEqual(
    ["Ae", "Bm"].map(() => expect.any(String) as string),
  );
  expect((await ledger.ledgerKeys.view()).keys.map(({ type }) => type)).toEqual(["ed25519", "ml-dsa-44-cosignature"]);
  await ledger.ledgerKeys.begin("party:ada");
  await ledger.fill(1);
  expect(await signers(ledger)).toHaveLength(4);
  await ledger.ledgerKeys.finish("party:ada");
  await ledger.fill(1);
  expect(await signers(ledger)).toHaveLength(2);
  expect(await verify(ledger)).toMatchObject({ ok: true });
  // Somebody who can forge the first signature takes the second one away.
  await ledger.superuser.query(
    "UPDATE ledger_checkpoint SET note = substring(note FROM '^(?:[^\\n]*\\n){5}') WHERE size = (SELECT max(size) FROM ledger_checkpoint)",
  );
  const verdict = await verify(ledger);
  expect(verdict).toMatchObject({ ok: false, firstWrong: { what: expect.stringContaining("is missing") as string } });
});

describe("[AUD-14] whoever can write to the database", () => {
  test("cannot add a key of his own", async () => {
    await using ledger = await openAnchoredLedger();
    await ledger.fill(2);
    const his = localSigner(defaultOrigin, "ed25519", generatePrivateKey("ed25519"));
    const keys = JSON.stringify({ retired: [], signing: [{ held: "command", vkey: formatNoteKey(his.key) }] });
    await ledger.superuser.query("INSERT INTO ledger_key_set (version, keys, entry_id, code) VALUES (2, $1, 'ent_his', sha256('x'))", [
      keys,
    ]);
    const text = checkpointText({ origin: defaultOrigin, size: 3, root: Buffer.alloc(32) });
    await ledger.superuser.query("UPDATE ledger_checkpoint SET note = $1 WHERE size = 3", [
      formatNote(text, [await signLine(his, text, 1)]),
    ]);
    const verdict = await verify(ledger);
    expect(verdict.ok).toBe(false);
    expect(verdict.problems.map(({ what }) => what).join()).toMatch(/not bound to the master key.*|not signed by the ledger's key.*/);
    expect((await ledger.ledgerKeys.view()).keys).toHaveLength(1);
    expect((await ledger.ledgerKeys.history()).forged).toEqual(["ent_his"]);
  });

  test("cannot go on with a key that was retired, though he has it", async () => {
    await using ledger = await openAnchoredLedger();
    const [old] = (await ledger.ledgerKeys.signing()).signers;
    await ledger.ledgerKeys.begin("party:ada");
    await ledger.ledgerKeys.finish("party:ada");
    await ledger.fill(2);
    await ledger.sequencer.stop();
    const { checkpoint } = await createTreeStore(ledger.database).last();
    const text = checkpointText(
      parseCheckpoint(checkpoint?.note.split("\n\n")[0]?.concat("\n") ?? "") ?? { origin: "", size: 0, root: Buffer.alloc(32) },
    );
    if (old === undefined) throw new Error("no key");
    await ledger.superuser.query("UPDATE ledger_checkpoint SET note = $1 WHERE size = $2", [
      formatNote(text, [await signLine(old, text, 1)]),
      checkpoint?.size,
    ]);
    expect(await verify(ledger)).toMatchObject({
      ok: false,
      firstWrong: { what: expect.stringContaining("no key that still signed then") as string },
    });
  });
});

test("[AUD-14] what signs with another key than it says is not believed: nothing is sequenced, and that is said", async () => {
  const right = localSigner(defaultOrigin, "ed25519", generatePrivateKey("ed25519"));
  const wrong = localSigner(defaultOrigin, "ed25519", generatePrivateKey("ed25519"));
  let broken = false;
  const external = { key: right.key, sign: async (message: Uint8Array) => (broken ? wrong : right).sign(message) };
  await using ledger = await openAnchoredLedger({ external });
  await ledger.fill(2);
  expect(await signers(ledger)).toHaveLength(2);
  broken = true;
  await expect(ledger.fill(1)).rejects.toMatchObject({
    code: "ledger-unavailable",
    message: expect.stringContaining("thrown away") as string,
  });
  broken = false;
  await ledger.sequencer.flushed().catch(() => undefined);
  await expect
    .poll(
      () =>
        ledger.sequencer.flushed().then(
          () => "went on",
          () => "stands",
        ),
      { timeout: 30_000 },
    )
    .toBe("went on");
  expect(await verify(ledger)).toMatchObject({ ok: true, size: 4 });
});

test("a witness follows a ledger through the replacement of its key once it was given the new one", async () => {
  await using ledger = await openAnchoredLedger();
  await using bank = await startTestWitness("bank", ledger.vkey);
  const anchors = await ledger.watch(policyOf([bank], 1));
  const turn = async () => {
    await ledger.hurry();
    await anchors.turn();
    return anchors.view();
  };
  await ledger.fill(3);
  expect(await turn()).toMatchObject({ status: "WITNESSED", behind: 0 });
  const { keys } = await ledger.ledgerKeys.begin("party:ada");
  await ledger.fill(3);
  // In the overlap it need not know.
  expect(await turn()).toMatchObject({ status: "WITNESSED", behind: 0 });
  await ledger.ledgerKeys.finish("party:ada");
  await ledger.fill(3);
  expect((await turn()).witnesses[0]?.problem).toContain("another key");
  await addLog(bank.folder, keys[1]?.vkey ?? "");
  await bank.stop();
  await bank.restart();
  expect(await turn()).toMatchObject({ status: "WITNESSED", behind: 0, splitViews: [] });
  expect(await ledger.audit(anchors).verify()).toMatchObject({ ok: true, anchoring: "WITNESSED" });
});
