import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkpointText, joinHashes, signNote } from "@remit/core";
import type { LedgerVerdict } from "@remit/contract";
import { openDatabase } from "../database/database.postgres.ts";
import type { Database, Queryable } from "../database/database.ts";
import { ledgerKey, defaultOrigin, sha256Tree } from "./ledger-key.ts";
import { createLedgerRows } from "./ledger-rows.postgres.ts";
import { eraseKey, fill, openTestLedger, testEntry, testId } from "./ledger.testing.ts";
import type { LedgerParts } from "./ledger.testing.ts";
import { verifyLedger } from "./verify-ledger.ts";
import type { VerifyOptions } from "./verify-ledger.ts";
import { merkleTree } from "@remit/core";

/** 600 entries: two full tiles and a tail, under seven checkpoints; every third has a payload. */
const batches = [1, 200, 99, 150, 80, 40, 30];

async function openFilledLedger() {
  const test = await openTestLedger();
  await fill(test, batches, (seq) => ({
    actionId: testId("action"),
    data: { tool: "helpdesk__send_email", n: seq },
    ...(seq % 3 === 0 ? { payloads: [{ name: "arguments", subject: `customer:${seq % 5}`, value: { seq } }] } : {}),
  }));
  return test;
}

const verify = (test: LedgerParts & { database: Queryable }, more: Partial<VerifyOptions> = {}): Promise<LedgerVerdict> =>
  verifyLedger({ rows: createLedgerRows(test.database), payloadKeys: test.payloadKeys, pageSize: 64, ...more });

test("[AUD-14] an untouched ledger verifies, whole, and says that nobody outside keeps its checkpoints", async () => {
  await using test = await openFilledLedger();
  const { publicKey } = await test.keys.signingKey("ledger", "Ed25519");
  const verdict = await verify(test, { publicKey });
  expect(verdict).toMatchObject({
    ok: true,
    size: 600,
    checkpoints: 7,
    firstWrong: null,
    problems: [],
    pending: 0,
    anchoring: "UNANCHORED",
  });
  expect(verdict.payloads).toEqual({ sealed: 200, opened: 200, erased: 0 });
  for (const pageSize of [1, 7, 256, 10_000]) expect((await verify(test, { pageSize })).ok).toBe(true);
});

test("[AUD-14] an empty ledger verifies", async () => {
  await using test = await openTestLedger();
  expect(await verify(test)).toMatchObject({ ok: true, size: 0, checkpoint: null });
});

test("[AUD-14] erasing a subject's key breaks no proof", async () => {
  await using test = await openFilledLedger();
  // Whatever the clock of whoever erased it said: the order of the ledger counts.
  await eraseKey(test, "customer:3", "2020-01-01T00:00:00.000Z");
  const verdict = await verify(test);
  expect(verdict).toMatchObject({ ok: true, payloads: { sealed: 200, opened: 160, erased: 40 } });
  // Whoever comes back has a new key of the same name, which opens nothing that was before; and a key that is gone is not erased by that alone.
  await fill(test, [1], () => ({ payloads: [{ name: "arguments", subject: "customer:3", value: { again: true } }] }));
  expect(await verify(test)).toMatchObject({ ok: true, payloads: { opened: 161, erased: 40 } });
  await test.superuser.query("DELETE FROM payload_key WHERE subject = 'customer:4'");
  const { ok, problemCount, firstWrong } = await verify(test);
  expect([ok, problemCount, firstWrong?.what]).toEqual([false, 40, expect.stringMatching(/no entry says that it was erased/) as string]);
});

test("[AUD-14] a ledger verifies while it is being written", async () => {
  await using test = await openFilledLedger();
  const enough = new AbortController();
  const writer = (async () => {
    while (!enough.signal.aborted) await Promise.all(Array.from({ length: 20 }, () => test.ledger.record(testEntry())));
  })();
  for (let round = 0; round < 5; round += 1) expect((await verify(test)).problems).toEqual([]);
  enough.abort();
  await writer;
});

const entryAt = (seq: number): string => `(SELECT entry_id FROM ledger_leaf WHERE seq = ${seq})`;
const flipped = (bytes: string, at: number): string => `set_byte(${bytes}, ${at}, get_byte(${bytes}, ${at}) # 1)`;

const swap = (one: number, other: number): string[] => [
  `UPDATE ledger_leaf SET seq = -1 WHERE seq = ${one}`,
  `UPDATE ledger_leaf SET seq = ${one} WHERE seq = ${other}`,
  `UPDATE ledger_leaf SET seq = ${other} WHERE seq = -1`,
];

/** What somebody with every right on the database does, and where it must be found. */
const campaign: { name: string; sql: string[]; seq: number | null; what: RegExp }[] = [
  {
    name: "edits one byte of a body",
    sql: [`UPDATE ledger_entry SET body = ${flipped("body", 40)} WHERE id = ${entryAt(417)}`],
    seq: 417,
    what: /body .* not what was recorded/,
  },
  { name: "edits the first body", sql: [`UPDATE ledger_entry SET body = body || ' ' WHERE id = ${entryAt(0)}`], seq: 0, what: /body/ },
  { name: "edits the last body", sql: [`UPDATE ledger_entry SET body = body || ' ' WHERE id = ${entryAt(599)}`], seq: 599, what: /body/ },
  {
    name: "edits a body and its leaf hash",
    sql: [
      `UPDATE ledger_entry SET body = convert_to(replace(convert_from(body, 'UTF8'), '"agent:triage"', '"agent:nobody"'), 'UTF8'), actor = 'agent:nobody', agent = 'nobody' WHERE id = ${entryAt(123)}`,
      `UPDATE ledger_leaf SET leaf_hash = (SELECT sha256('\\x00'::bytea || body) FROM ledger_entry WHERE id = entry_id) WHERE seq = 123`,
    ],
    seq: 123,
    what: /not what was recorded there/,
  },
  {
    name: "edits the column actor",
    sql: [`UPDATE ledger_entry SET actor = 'party:somebody' WHERE id = ${entryAt(33)}`],
    seq: 33,
    what: /column actor/,
  },
  {
    name: "edits the column at by a microsecond",
    sql: [`UPDATE ledger_entry SET at = at + interval '1 microsecond' WHERE id = ${entryAt(34)}`],
    seq: 34,
    what: /column at/,
  },
  {
    name: "edits the column type",
    sql: [`UPDATE ledger_entry SET type = 'action-succeeded' WHERE id = ${entryAt(35)}`],
    seq: 35,
    what: /column type/,
  },
  { name: "edits the column tool", sql: [`UPDATE ledger_entry SET tool = NULL WHERE id = ${entryAt(36)}`], seq: 36, what: /column tool/ },
  {
    name: "edits the column action_id",
    sql: [`UPDATE ledger_entry SET action_id = 'act_0' WHERE id = ${entryAt(37)}`],
    seq: 37,
    what: /column action_id/,
  },
  { name: "deletes an entry", sql: [`DELETE FROM ledger_entry WHERE id = ${entryAt(300)}`], seq: 300, what: /is missing/ },
  { name: "deletes a leaf", sql: [`DELETE FROM ledger_leaf WHERE seq = 301`], seq: 301, what: /Leaf 301 is missing/ },
  {
    name: "deletes an entry and its leaf",
    sql: [`DELETE FROM ledger_entry WHERE id = ${entryAt(302)}`, `DELETE FROM ledger_leaf WHERE seq = 302`],
    seq: 302,
    what: /Leaf 302 is missing/,
  },
  {
    name: "deletes an entry and closes the gap",
    sql: [
      `DELETE FROM ledger_entry WHERE id = ${entryAt(520)}`,
      `DELETE FROM ledger_leaf WHERE seq = 520`,
      `UPDATE ledger_leaf SET seq = -seq WHERE seq > 520`,
      `UPDATE ledger_leaf SET seq = -seq - 1 WHERE seq < 0`,
    ],
    seq: 520,
    what: /not what was recorded there/,
  },
  { name: "deletes the first leaf", sql: [`DELETE FROM ledger_leaf WHERE seq = 0`], seq: 0, what: /Leaf 0 is missing/ },
  { name: "swaps two entries of one batch", sql: swap(210, 211), seq: 210, what: /moved/ },
  { name: "swaps two entries of the tail", sql: swap(580, 599), seq: 580, what: /moved/ },
  { name: "swaps two entries of different batches", sql: swap(5, 450), seq: 5, what: /moved/ },
  {
    name: "points a leaf at another entry",
    sql: [
      `UPDATE ledger_leaf SET entry_id = 'aside' WHERE seq = 8`,
      `UPDATE ledger_leaf SET entry_id = ${entryAt(7)} || 'x' WHERE seq = 7`,
      `UPDATE ledger_entry SET id = id || 'x' WHERE id || 'x' = ${entryAt(7)}`,
    ],
    seq: 7,
    what: /column id/,
  },
  {
    name: "points two leaves at each other's entries",
    sql: [
      `CREATE TABLE kept AS SELECT seq, entry_id FROM ledger_leaf WHERE seq IN (90, 91)`,
      `UPDATE ledger_leaf SET entry_id = 'aside' WHERE seq = 90`,
      `UPDATE ledger_leaf SET entry_id = (SELECT entry_id FROM kept WHERE seq = 90) WHERE seq = 91`,
      `UPDATE ledger_leaf SET entry_id = (SELECT entry_id FROM kept WHERE seq = 91) WHERE seq = 90`,
    ],
    seq: 90,
    what: /pointed at another entry/,
  },
  { name: "truncates the tail of leaves", sql: [`DELETE FROM ledger_leaf WHERE seq >= 590`], seq: 590, what: /Leaf 590 is missing/ },
  {
    name: "removes the last checkpoint only",
    sql: [`DELETE FROM ledger_checkpoint WHERE size = 600`],
    seq: 570,
    what: /beyond the last checkpoint/,
  },
  {
    name: "removes a checkpoint in the middle",
    sql: [`DELETE FROM ledger_checkpoint WHERE size = 450`],
    seq: 300,
    what: /checkpoint was removed/,
  },
  {
    name: "changes a checkpoint's note",
    sql: [`UPDATE ledger_checkpoint SET note = replace(note, E'\\n450\\n', E'\\n449\\n') WHERE size = 450`],
    seq: 449,
    what: /not signed/,
  },
  {
    name: "changes a checkpoint's root",
    sql: [`UPDATE ledger_checkpoint SET root = ${flipped("root", 0)} WHERE size = 450`],
    seq: 449,
    what: /root beside/,
  },
  {
    name: "changes a checkpoint's list of leaves",
    sql: [`UPDATE ledger_checkpoint SET leaves = ${flipped("leaves", 64)} WHERE size = 450`],
    seq: 302,
    what: /list of leaves/,
  },
  {
    name: "puts one checkpoint in another's place",
    sql: [`UPDATE ledger_checkpoint SET note = (SELECT note FROM ledger_checkpoint WHERE size = 300) WHERE size = 450`],
    seq: 449,
    what: /signs something else/,
  },
  {
    name: "changes a tile",
    sql: [`UPDATE ledger_tile SET hashes = ${flipped("hashes", 32 * 10)} WHERE level = 0 AND index = 1`],
    seq: 266,
    what: /Tile 1 of level 0 was changed/,
  },
  {
    name: "changes a tile's root",
    sql: [`UPDATE ledger_tile SET root = ${flipped("root", 3)} WHERE level = 0 AND index = 1`],
    seq: 256,
    what: /root of tile 1/,
  },
  { name: "removes a tile", sql: [`DELETE FROM ledger_tile WHERE index = 0`], seq: 0, what: /Tile 0 of level 0 is missing/ },
  {
    name: "adds a tile",
    sql: [`INSERT INTO ledger_tile SELECT 0, 2, hashes, root FROM ledger_tile WHERE index = 0`],
    seq: 600,
    what: /beyond/,
  },
  {
    name: "flips a byte of a ciphertext",
    sql: [`UPDATE ledger_payload SET ciphertext = ${flipped("ciphertext", 30)} WHERE entry_id = ${entryAt(42)}`],
    seq: 42,
    what: /payload "arguments" .* was changed/,
  },
  {
    name: "removes a payload",
    sql: [`DELETE FROM ledger_payload WHERE entry_id = ${entryAt(45)}`],
    seq: 45,
    what: /payload "arguments" .* is missing/,
  },
  {
    name: "gives an entry another's payload",
    sql: [
      `UPDATE ledger_payload SET ciphertext = (SELECT ciphertext FROM ledger_payload WHERE entry_id = ${entryAt(51)}) WHERE entry_id = ${entryAt(48)}`,
    ],
    seq: 48,
    what: /was changed/,
  },
  {
    name: "puts a payload in",
    sql: [
      `INSERT INTO ledger_payload SELECT ${entryAt(50)}, name, subject, ciphertext FROM ledger_payload WHERE entry_id = ${entryAt(48)}`,
    ],
    seq: 50,
    what: /put in/,
  },
  {
    name: "gives a payload another subject",
    sql: [`UPDATE ledger_payload SET subject = 'customer:4' WHERE entry_id = ${entryAt(30)}`],
    seq: 30,
    what: /subject or its key/,
  },
  {
    name: "leaves a payload without its entry",
    sql: [`INSERT INTO ledger_payload VALUES ('ent_gone', 'arguments', 's', '\\x00')`],
    seq: null,
    what: /no entry/,
  },
  {
    name: "puts an entry in without a leaf",
    sql: [
      `INSERT INTO ledger_entry SELECT 'ent_new', body, type, at - interval '1 hour', actor, agent, tool FROM ledger_entry WHERE id = ${entryAt(9)}`,
    ],
    seq: null,
    what: /never been given a place/,
  },
  {
    name: "puts an entry and a leaf in at the end",
    sql: [
      `INSERT INTO ledger_entry SELECT 'ent_new', body, type, at, actor, agent, tool FROM ledger_entry WHERE id = ${entryAt(9)}`,
      `INSERT INTO ledger_leaf SELECT 600, 'ent_new', sha256('\\x00'::bytea || body) FROM ledger_entry WHERE id = 'ent_new'`,
    ],
    seq: 600,
    what: /beyond the last checkpoint/,
  },
  {
    name: "puts an entry in between",
    sql: [
      `INSERT INTO ledger_entry SELECT 'ent_new', body, type, at, actor, agent, tool FROM ledger_entry WHERE id = ${entryAt(9)}`,
      `UPDATE ledger_leaf SET seq = -seq WHERE seq >= 200`,
      `UPDATE ledger_leaf SET seq = -seq + 1 WHERE seq < 0`,
      `INSERT INTO ledger_leaf SELECT 200, 'ent_new', sha256('\\x00'::bytea || body) FROM ledger_entry WHERE id = 'ent_new'`,
    ],
    seq: 200,
    what: /column id/,
  },
  {
    name: "stores a leaf twice, having dropped the constraints",
    sql: [
      `ALTER TABLE ledger_leaf DROP CONSTRAINT ledger_leaf_pkey, DROP CONSTRAINT ledger_leaf_entry_id_key`,
      `INSERT INTO ledger_leaf SELECT * FROM ledger_leaf WHERE seq = 77`,
    ],
    seq: 77,
    what: /stored twice/,
  },
];

describe("in a transaction", () => {
  // Filled once: what a case does to it is verified in the transaction that does it, which is then rolled back.
  let filled: Awaited<ReturnType<typeof openFilledLedger>>;
  let superuser: Database;
  beforeAll(async () => {
    filled = await openFilledLedger();
    superuser = openDatabase({ url: filled.url, poolSize: 1, role: null });
    expect((await verify({ ...filled, database: superuser })).problems).toEqual([]);
  });
  afterAll(async () => {
    // Each case was found in what it did, and not in what one before had left.
    expect((await verify(filled)).problems).toEqual([]);
    await superuser.close();
    await filled[Symbol.asyncDispose]();
  });

  test.each(campaign)("[AUD-14] found when a superuser $name", async ({ sql, seq, what }) => {
    const rolledBack = new Error("rolled back");
    const verified = superuser.transaction(async (transaction) => {
      for (const statement of sql) await transaction.query(statement);
      const verdict = await verify({ ...filled, database: transaction });
      expect(verdict.ok).toBe(false);
      expect(verdict.firstWrong).toMatchObject({ seq, what: expect.stringMatching(what) });
      expect(verdict.problemCount).toBeGreaterThan(0);
      throw rolledBack;
    });
    await expect(verified).rejects.toBe(rolledBack);
  });
});

test("[AUD-14] entries that were rewritten together with every copy of their hashes are found by the signature", async () => {
  await using test = await openFilledLedger();
  await rewrite(test.superuser, 460);
  const verdict = await verify(test);
  // Only the root is left to say so: it names the first entry of the batch that it signed.
  expect(verdict.firstWrong).toMatchObject({ seq: 450, what: expect.stringMatching(/entries 450 to 529 were rewritten together/) });
});

test("another ledger's key does not pass for this one's", async () => {
  await using test = await openFilledLedger();
  await using other = await openTestLedger();
  const { publicKey } = await other.keys.signingKey("ledger", "Ed25519");
  expect((await verify(test, { publicKey })).firstWrong).toMatchObject({
    seq: 0,
    what: expect.stringMatching(/not signed by the ledger's key/),
  });
});

test("[AUD-14] what is NOT found without a witness: whoever holds the database and the key signs it all again", async () => {
  await using test = await openFilledLedger();
  await test.sequencer.stop();
  await rewrite(test.superuser, 460);
  const { signer } = await ledgerKey(test.keys, defaultOrigin);
  const tree = merkleTree(sha256Tree);
  const leaves = await test.superuser.query<{ seq: string; leaf_hash: Buffer }>("SELECT seq, leaf_hash FROM ledger_leaf ORDER BY seq");
  const sizes = batches.map((_, index) => batches.slice(0, index + 1).reduce((sum, count) => sum + count, 0));
  for (const { leaf_hash: leaf } of leaves) {
    tree.append(leaf);
    if (!sizes.includes(tree.size)) continue;
    const note = signNote(checkpointText({ origin: defaultOrigin, size: tree.size, root: tree.root() }), signer);
    await test.superuser.query("UPDATE ledger_checkpoint SET root = $1, note = $2 WHERE size = $3", [
      Buffer.from(tree.root()),
      note,
      tree.size,
    ]);
  }
  expect(await verify(test)).toMatchObject({ ok: true, anchoring: "UNANCHORED" });
});

test("[AUD-14] what is NOT found without a witness: the last entries removed together with their checkpoints", async () => {
  await using test = await openFilledLedger();
  await test.sequencer.stop();
  await test.superuser.query("DELETE FROM ledger_payload USING ledger_leaf l WHERE l.entry_id = ledger_payload.entry_id AND seq >= 530");
  await test.superuser.query("DELETE FROM ledger_entry USING ledger_leaf l WHERE l.entry_id = id AND seq >= 530");
  await test.superuser.query("DELETE FROM ledger_leaf WHERE seq >= 530");
  await test.superuser.query("DELETE FROM ledger_checkpoint WHERE size > 530");
  expect(await verify(test)).toMatchObject({ ok: true, size: 530, anchoring: "UNANCHORED" });
});

/** Changes who acted in an entry, everywhere that it is kept, but cannot sign. */
async function rewrite(superuser: Queryable, seq: number): Promise<void> {
  await superuser.query(
    `UPDATE ledger_entry SET body = convert_to(replace(convert_from(body, 'UTF8'), '"agent:triage"', '"agent:nobody"'), 'UTF8'),
       actor = 'agent:nobody', agent = 'nobody' WHERE id = ${entryAt(seq)}`,
  );
  await superuser.query(
    `UPDATE ledger_leaf SET leaf_hash = (SELECT sha256('\\x00'::bytea || body) FROM ledger_entry WHERE id = entry_id) WHERE seq = ${seq}`,
  );
  const leaves = await superuser.query<{ leaf_hash: Buffer }>("SELECT leaf_hash FROM ledger_leaf ORDER BY seq");
  const hashes = leaves.map((row) => row.leaf_hash);
  const checkpoints = await superuser.query<{ size: string; before: string }>(
    "SELECT size, coalesce(lag(size) OVER (ORDER BY size), 0) AS before FROM ledger_checkpoint",
  );
  for (const { size, before } of checkpoints) {
    const copy = Buffer.from(joinHashes(hashes.slice(Number(before), Number(size))));
    await superuser.query("UPDATE ledger_checkpoint SET leaves = $1 WHERE size = $2", [copy, size]);
  }
  const tree = merkleTree(sha256Tree);
  for (const hash of hashes) tree.append(hash);
  for (const tile of tree.takeTiles()) {
    await superuser.query("UPDATE ledger_tile SET hashes = $1, root = $2 WHERE level = $3 AND index = $4", [
      Buffer.from(tile.hashes),
      Buffer.from(tile.root),
      tile.level,
      tile.index,
    ]);
  }
}
