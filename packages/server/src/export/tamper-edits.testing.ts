import { generateKeyPairSync, sign } from "node:crypto";
import type { NoteSigner } from "@remit/core";
import { checkpointText, joinHashes, merkleTree, noteKey, signNote } from "@remit/core";
import type { Queryable } from "../database/database.ts";
import { rawPublicKey } from "../keys/note-crypto.ts";
import { sha256 } from "../keys/note-crypto.ts";
import { defaultOrigin, ledgerKey, sha256Tree } from "../ledger/ledger-key.ts";
import type { TamperRoom } from "./tampered-ledger.testing.ts";
import { tamperBatches, tamperSize } from "./tampered-ledger.testing.ts";

/** A whole number from 0 up to `below`, not including it. */
export type Random = (below: number) => number;

/** The same numbers for the same seed, so that what was found once is found again. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

export type TamperEdit = {
  kind: string;
  /** `none`: it is found by what is inside the ledger. `kept`: only by somebody who has kept a checkpoint. */
  needs: "none" | "kept";
  apply(superuser: Queryable, random: Random, room: TamperRoom): Promise<void>;
};

const entryAt = (seq: number): string => `(SELECT entry_id FROM ledger_leaf WHERE seq = ${seq})`;
const flipped = (bytes: string, at: number, bit = 0): string => `set_byte(${bytes}, ${at}, get_byte(${bytes}, ${at}) # ${1 << bit})`;
const sizes = tamperBatches.map((_, index) => tamperBatches.slice(0, index + 1).reduce((sum, count) => sum + count, 0));
const anySeq = (random: Random): number => random(tamperSize);
const anySize = (random: Random): number => sizes[random(sizes.length)] ?? tamperSize;
const sealedSeq = (random: Random): number => 3 * random(tamperSize / 3);
const twoSeqs = (random: Random): [number, number] => {
  const one = anySeq(random);
  return [one, (one + 1 + random(tamperSize - 1)) % tamperSize];
};

const asSql =
  (statements: (random: Random) => string[]): TamperEdit["apply"] =>
  async (superuser, random) => {
    for (const statement of statements(random)) await superuser.query(statement);
  };

const plain = (kind: string, statements: (random: Random) => string[]): TamperEdit => ({ kind, needs: "none", apply: asSql(statements) });

const columns = ["type", "actor", "agent", "tool", "action_id", "run_id", "approval_id", "trace_id"] as const;

const shift = (from: number, by: number): string[] => [
  `UPDATE ledger_leaf SET seq = -seq - 1 WHERE seq >= ${from}`,
  `UPDATE ledger_leaf SET seq = -seq - 1 + ${by} WHERE seq < 0`,
];

const newEntry = (like: number): string =>
  `INSERT INTO ledger_entry SELECT 'ent_new', body, type, at - interval '1 hour', actor, agent, tool FROM ledger_entry WHERE id = ${entryAt(like)}`;
const newLeaf = (seq: number): string =>
  `INSERT INTO ledger_leaf SELECT ${seq}, 'ent_new', sha256('\\x00'::bytea || body) FROM ledger_entry WHERE id = 'ent_new'`;
const forget = (seq: number): string[] => [
  `DELETE FROM ledger_payload WHERE entry_id = ${entryAt(seq)}`,
  `DELETE FROM ledger_entry WHERE id = ${entryAt(seq)}`,
  `DELETE FROM ledger_leaf WHERE seq = ${seq}`,
];

export const tamperEdits: readonly TamperEdit[] = [
  plain("a byte of a body", (random) => [
    `UPDATE ledger_entry SET body = ${flipped("body", random(200), random(7))} WHERE id = ${entryAt(anySeq(random))}`,
  ]),
  plain("a body, its columns and its leaf hash", (random) => {
    const seq = anySeq(random);
    return [
      `UPDATE ledger_entry SET body = convert_to(replace(convert_from(body, 'UTF8'), '"agent:triage"', '"agent:nobody"'), 'UTF8'), actor = 'agent:nobody', agent = 'nobody' WHERE id = ${entryAt(seq)}`,
      `UPDATE ledger_leaf SET leaf_hash = (SELECT sha256('\\x00'::bytea || body) FROM ledger_entry WHERE id = entry_id) WHERE seq = ${seq}`,
    ];
  }),
  plain("a search column", (random) => [
    `UPDATE ledger_entry SET ${columns[random(columns.length)] ?? "actor"} = 'x${random(1000)}' WHERE id = ${entryAt(anySeq(random))}`,
  ]),
  plain("the time beside an entry", (random) => [
    `UPDATE ledger_entry SET at = at + interval '${1 + random(1_000_000)} microseconds' WHERE id = ${entryAt(anySeq(random))}`,
  ]),
  plain("an entry deleted", (random) => [`DELETE FROM ledger_entry WHERE id = ${entryAt(anySeq(random))}`]),
  plain("a leaf deleted", (random) => [`DELETE FROM ledger_leaf WHERE seq = ${anySeq(random)}`]),
  plain("an entry, its payload and its leaf deleted", (random) => forget(anySeq(random))),
  plain("an entry deleted and the gap closed", (random) => {
    const seq = anySeq(random);
    return [...forget(seq), ...shift(seq + 1, -1)];
  }),
  plain("two leaves swapped", (random) => {
    const [one, other] = twoSeqs(random);
    return [
      `UPDATE ledger_leaf SET seq = -1 WHERE seq = ${one}`,
      `UPDATE ledger_leaf SET seq = ${one} WHERE seq = ${other}`,
      `UPDATE ledger_leaf SET seq = ${other} WHERE seq = -1`,
    ];
  }),
  plain("two entries swapped behind their leaves", (random) => {
    const [one, other] = twoSeqs(random);
    return [
      `CREATE TEMP TABLE swapped ON COMMIT DROP AS SELECT seq, entry_id FROM ledger_leaf WHERE seq IN (${one}, ${other})`,
      `UPDATE ledger_leaf SET entry_id = 'aside' WHERE seq = ${one}`,
      `UPDATE ledger_leaf SET entry_id = (SELECT entry_id FROM swapped WHERE seq = ${one}) WHERE seq = ${other}`,
      `UPDATE ledger_leaf SET entry_id = (SELECT entry_id FROM swapped WHERE seq = ${other}) WHERE seq = ${one}`,
    ];
  }),
  plain("a leaf hash", (random) => [
    `UPDATE ledger_leaf SET leaf_hash = ${flipped("leaf_hash", random(32), random(8))} WHERE seq = ${anySeq(random)}`,
  ]),
  plain("an entry put in without a leaf", (random) => [newEntry(anySeq(random))]),
  plain("an entry and a leaf put in at the end", (random) => [newEntry(anySeq(random)), newLeaf(tamperSize)]),
  plain("an entry and a leaf put in between", (random) => {
    const seq = anySeq(random);
    return [newEntry(anySeq(random)), ...shift(seq, 1), newLeaf(seq)];
  }),
  plain("the last leaves truncated", (random) => [`DELETE FROM ledger_leaf WHERE seq >= ${anySeq(random)}`]),
  plain("the last entries and leaves truncated, their checkpoints left", (random) => {
    const seq = 1 + random(tamperSize - 1);
    return [
      `DELETE FROM ledger_payload USING ledger_leaf l WHERE l.entry_id = ledger_payload.entry_id AND seq >= ${seq}`,
      `DELETE FROM ledger_entry USING ledger_leaf l WHERE l.entry_id = id AND seq >= ${seq}`,
      `DELETE FROM ledger_leaf WHERE seq >= ${seq}`,
    ];
  }),
  plain("a checkpoint deleted", (random) => [`DELETE FROM ledger_checkpoint WHERE size = ${anySize(random)}`]),
  plain("a character of a checkpoint's note", (random) => {
    const at = 1 + random(120);
    return [`UPDATE ledger_checkpoint SET note = overlay(note placing '#' from ${at} for 1) WHERE size = ${anySize(random)}`];
  }),
  plain("a checkpoint's root", (random) => [
    `UPDATE ledger_checkpoint SET root = ${flipped("root", random(32))} WHERE size = ${anySize(random)}`,
  ]),
  plain("a checkpoint's list of leaves", (random) => {
    const size = anySize(random);
    const count = tamperBatches[sizes.indexOf(size)] ?? 1;
    return [`UPDATE ledger_checkpoint SET leaves = ${flipped("leaves", random(32 * count))} WHERE size = ${size}`];
  }),
  plain("one checkpoint in another's place", (random) => {
    const one = random(sizes.length);
    const other = (one + 1 + random(sizes.length - 1)) % sizes.length;
    return [
      `UPDATE ledger_checkpoint SET note = (SELECT note FROM ledger_checkpoint WHERE size = ${sizes[other] ?? 0}) WHERE size = ${sizes[one] ?? 0}`,
    ];
  }),
  {
    kind: "a checkpoint signed with another key",
    needs: "none",
    async apply(superuser, random) {
      const size = anySize(random);
      const [row] = await superuser.query<{ root: Buffer }>(`SELECT root FROM ledger_checkpoint WHERE size = ${size}`);
      const note = signNote(checkpointText({ origin: defaultOrigin, size, root: row?.root ?? Buffer.alloc(32) }), anotherKey());
      await superuser.query("UPDATE ledger_checkpoint SET note = $1 WHERE size = $2", [note, size]);
    },
  },
  plain("a tile", (random) => [`UPDATE ledger_tile SET hashes = ${flipped("hashes", random(8192))} WHERE index = 0`]),
  plain("the root of a tile", (random) => [`UPDATE ledger_tile SET root = ${flipped("root", random(32))} WHERE index = 0`]),
  plain("a tile deleted", () => ["DELETE FROM ledger_tile WHERE index = 0"]),
  plain("a tile put in", (random) => [
    `INSERT INTO ledger_tile SELECT ${random(3)}, ${1 + random(50)}, hashes, root FROM ledger_tile WHERE index = 0`,
  ]),
  plain("a byte of a ciphertext", (random) => [
    `UPDATE ledger_payload SET ciphertext = ${flipped("ciphertext", random(60), random(8))} WHERE entry_id = ${entryAt(sealedSeq(random))}`,
  ]),
  plain("a payload deleted", (random) => [`DELETE FROM ledger_payload WHERE entry_id = ${entryAt(sealedSeq(random))}`]),
  plain("a payload given to another entry", (random) => {
    const seq = sealedSeq(random);
    return [
      `UPDATE ledger_payload SET ciphertext = (SELECT ciphertext FROM ledger_payload WHERE entry_id = ${entryAt((seq + 3) % tamperSize)}) WHERE entry_id = ${entryAt(seq)}`,
    ];
  }),
  plain("a payload put in", (random) => {
    const seq = sealedSeq(random);
    return [
      `INSERT INTO ledger_payload SELECT ${entryAt(seq + 1)}, name, subject, ciphertext FROM ledger_payload WHERE entry_id = ${entryAt(seq)}`,
    ];
  }),
  plain("the keys that a payload names", (random) => {
    const seq = sealedSeq(random);
    return [
      `UPDATE ledger_payload SET subject = (SELECT p.subject FROM ledger_payload p WHERE entry_id = ${entryAt((seq + 3) % tamperSize)}) WHERE entry_id = ${entryAt(seq)}`,
    ];
  }),
  plain("the keys of payloads exchanged", (random) => [
    `UPDATE payload_key SET wrapped = (SELECT wrapped FROM payload_key WHERE subject = 'run:${(random(4) + 1) % 5}') WHERE subject = 'run:0'`,
  ]),
  plain("the key of payloads removed", (random) => [`DELETE FROM payload_key WHERE subject = 'run:${random(5)}'`]),
  {
    kind: "an entry rewritten with every copy of its hashes, not signed",
    needs: "none",
    apply: (superuser, random) => rewrite(superuser, anySeq(random), null),
  },
  {
    kind: "an entry rewritten, all of it signed with another key",
    needs: "none",
    apply: (superuser, random) => rewrite(superuser, anySeq(random), anotherKey()),
  },
  {
    kind: "an entry rewritten, all of it signed with the stolen key",
    needs: "kept",
    apply: async (superuser, random, room) => rewrite(superuser, anySeq(random), (await ledgerKey(room.ledger.keys, defaultOrigin)).signer),
  },
  {
    kind: "everything after an earlier checkpoint removed",
    needs: "kept",
    apply: asSql((random) => {
      const size = sizes[random(sizes.length - 1)] ?? 1;
      return [
        `DELETE FROM ledger_payload USING ledger_leaf l WHERE l.entry_id = ledger_payload.entry_id AND seq >= ${size}`,
        `DELETE FROM ledger_entry USING ledger_leaf l WHERE l.entry_id = id AND seq >= ${size}`,
        `DELETE FROM ledger_leaf WHERE seq >= ${size}`,
        `DELETE FROM ledger_tile WHERE (index + 1) * 256 > ${size}`,
        `DELETE FROM ledger_checkpoint WHERE size > ${size}`,
      ];
    }),
  },
];

/** Changes who acted in an entry wherever that shows, and signs the checkpoints anew where there is something to sign with. */
async function rewrite(superuser: Queryable, seq: number, signer: NoteSigner | null): Promise<void> {
  await superuser.query(
    `UPDATE ledger_entry SET body = convert_to(replace(convert_from(body, 'UTF8'), '"agent:triage"', '"agent:nobody"'), 'UTF8'),
       actor = 'agent:nobody', agent = 'nobody' WHERE id = ${entryAt(seq)}`,
  );
  await superuser.query(
    `UPDATE ledger_leaf SET leaf_hash = (SELECT sha256('\\x00'::bytea || body) FROM ledger_entry WHERE id = entry_id) WHERE seq = ${seq}`,
  );
  const leaves = await superuser.query<{ leaf_hash: Buffer }>("SELECT leaf_hash FROM ledger_leaf ORDER BY seq");
  const tree = merkleTree(sha256Tree);
  let start = 0;
  for (const { leaf_hash: leaf } of leaves) {
    tree.append(leaf);
    if (!sizes.includes(tree.size)) continue;
    const root = tree.root();
    const copy = Buffer.from(joinHashes(leaves.slice(start, tree.size).map((row) => row.leaf_hash)));
    start = tree.size;
    await superuser.query("UPDATE ledger_checkpoint SET leaves = $1 WHERE size = $2", [copy, tree.size]);
    if (signer === null) continue;
    const note = signNote(checkpointText({ origin: defaultOrigin, size: tree.size, root }), signer);
    await superuser.query("UPDATE ledger_checkpoint SET root = $1, note = $2 WHERE size = $3", [Buffer.from(root), note, tree.size]);
  }
  for (const tile of tree.takeTiles()) {
    const values = [Buffer.from(tile.hashes), Buffer.from(tile.root), tile.level, tile.index];
    await superuser.query("UPDATE ledger_tile SET hashes = $1, root = $2 WHERE level = $3 AND index = $4", values);
  }
}

/** A key of the same name that is not the ledger's. */
function anotherKey(): NoteSigner {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  return {
    ...noteKey(sha256, defaultOrigin, "ed25519", rawPublicKey(publicKey)),
    sign: (text) => sign(null, Buffer.from(text), privateKey),
  };
}
