import { createPublicKey } from "node:crypto";
import type { KeyObject } from "node:crypto";
import type { LedgerProblem, LedgerVerdict } from "@remit/contract";
import {
  anchoringWords,
  checkpointText,
  equal,
  hashLength,
  merkleTree,
  noteKey,
  noteVerifier,
  parseCheckpoint,
  readNote,
  splitHashes,
  whyNotSigned,
} from "@remit/core";
import type { LedgerKeyChange, MerkleTree, NoteKey, NoteVerifier } from "@remit/core";
import { noteCrypto, rawPublicKey, sha256 } from "../keys/note-crypto.ts";
import { checkAnchors, nobodyOutside } from "./verify-anchors.ts";
import type { Outside } from "./verify-anchors.ts";
import { checkEntries } from "./verify-entries.ts";
import type { CheckedLeaf, PayloadCounts } from "./verify-entries.ts";
import { checkTiles } from "./verify-tiles.ts";
import { defaultOrigin, sha256Tree } from "./ledger-key.ts";
import type { CheckpointRow, LedgerRows } from "./ledger-rows.ts";
import type { PayloadKeys } from "./payload-keys.ts";

export type VerifyOptions = {
  rows: LedgerRows;
  /** The key that checkpoints must be signed with. Without it, the one that the database names: whoever can change rows can change that as well. */
  publicKey?: KeyObject;
  /** What the ledger states of its keys. With it, a checkpoint must bear the signatures that were due at its size. */
  keys?: () => Promise<LedgerKeyHistory>;
  /** What is kept of it elsewhere. */
  outside?: () => Promise<Outside>;
  origin?: string;
  /** With it, payloads are opened and compared with their commitments; without, only their ciphertexts are. */
  payloadKeys?: Pick<PayloadKeys, "forOpening">;
  now?: () => Date;
  /** How long an entry may wait for its place before that is a problem. */
  graceMs?: number;
  /** Rows that are held at once. */
  pageSize?: number;
  signal?: AbortSignal;
};

/** `forged`: entries that are said to have changed the keys, by rows that the master key does not bind. */
export type LedgerKeyHistory = { known: readonly NoteKey[]; changes: readonly LedgerKeyChange[]; forged: readonly string[] };

/** Notes what is wrong. The first at each place is kept: what follows from it would only hide it. */
export type Report = (seq: number | null, entryId: string | null, what: string) => void;

const listed = 100;

/**
 * Recomputes the whole ledger from its rows: bodies to leaves, leaves to the tree, the tree to every signed checkpoint, and
 * whatever is kept beside them. Streams in pages; memory does not grow with the ledger.
 */
export async function verifyLedger(options: VerifyOptions): Promise<LedgerVerdict> {
  const { rows, origin = defaultOrigin, now = () => new Date(), graceMs = 60_000, pageSize = 1_000 } = options;
  const problems = collectProblems();
  // In this order: what is newer than the last of these is not asked for by the one before it.
  const outside = (await options.outside?.()) ?? nobodyOutside;
  const extent = await rows.extent();
  const keys = await keysOf(options, origin);
  for (const id of keys.forged)
    problems.report(null, id, `The keys that ${id} is said to have stated are not bound to the master key: they were put in`);
  const verifiers = keys.known.map((key) => noteVerifier(noteCrypto, key));
  const anchors = checkAnchors(outside, { keys: keys.known, latest: Math.floor(now().getTime() / 1000) + 300, report: problems.report });
  const payloads: PayloadCounts = { sealed: 0, opened: 0, erased: 0 };
  const leaves = checkEntries({ ...options, end: extent.size, pageSize, report: problems.report, payloads });
  const walk: Walk = { tree: merkleTree(sha256Tree), isRooted: true };
  let last: CheckpointRow | null = null;
  let checkpoints = 0;

  for (let done = 0; done < extent.size;) {
    const page = await rows.checkpointsAfter(done, 100);
    if (page.length === 0) break;
    for (const checkpoint of page) {
      if (checkpoint.size > extent.size) break;
      options.signal?.throwIfAborted();
      const isConfirmed = await checkCheckpoint(checkpoint, { walk, leaves, verifiers, keys, origin, report: problems.report });
      anchors.reached(checkpoint.size, walk.tree.root(), checkpoint.note, isConfirmed);
      await checkTiles(rows, walk.tree.takeTiles(), problems.report);
      last = checkpoint;
      checkpoints += 1;
    }
    done = page.at(-1)?.size ?? extent.size;
  }

  if (extent.firstLeaf < 0) problems.report(extent.firstLeaf, null, "A leaf is stored before the first");
  if (extent.leaves > extent.size) {
    problems.report(
      extent.size,
      null,
      `${extent.leaves - extent.size} leaves are stored beyond the last checkpoint, and nothing signs them`,
    );
  }
  if (extent.tilesBeyond > 0) problems.report(extent.size, null, `${extent.tilesBeyond} tiles are stored beyond the last checkpoint`);
  for (const id of await rows.neverSequenced(new Date(now().getTime() - graceMs), listed)) {
    problems.report(
      null,
      id,
      `Entry ${id} has never been given a place: it was put in beside the ledger, its leaf was removed, or nothing sequences`,
    );
  }
  for (const { entryId, name } of await rows.strayPayloads(listed)) {
    problems.report(null, entryId, `Payload "${name}" belongs to no entry: ${entryId} was removed`);
  }
  const anchoring = anchors.done(extent.size);
  const found = problems.sorted();
  return {
    ok: found.length === 0,
    size: extent.size,
    root: Buffer.from(walk.tree.root()).toString("base64"),
    checkpoint: last?.note ?? null,
    checkpoints,
    firstWrong: found[0] ?? null,
    problems: found.slice(0, listed),
    problemCount: problems.count(),
    payloads,
    pending: extent.pending,
    anchoring: anchoring.status,
    anchor: {
      words: anchoringWords(anchoring),
      organisations: anchoring.organisations,
      quorum: anchoring.quorum,
      size: anchoring.size,
      at: anchoring.at === null ? null : new Date(anchoring.at * 1000).toISOString(),
    },
  };
}

async function keysOf(options: VerifyOptions, origin: string): Promise<LedgerKeyHistory> {
  if (options.keys !== undefined) return options.keys();
  const keys = options.publicKey === undefined ? await publicKeys(options.rows) : [options.publicKey];
  return { known: keys.map((key) => noteKey(sha256, origin, "ed25519", rawPublicKey(key))), changes: [], forged: [] };
}

type Walk = {
  tree: MerkleTree;
  /** False once a signed root could not be explained: then no later root can be. */
  isRooted: boolean;
};

type Leaves = { take(from: number, to: number): Promise<(CheckedLeaf | null)[]> };

type Context = { walk: Walk; leaves: Leaves; verifiers: SigningVerifier[]; keys: LedgerKeyHistory; origin: string; report: Report };
type SigningVerifier = NoteVerifier & { key: NoteKey };

/** Whether one checkpoint signs the leaves that are stored up to it. True when it does. */
async function checkCheckpoint(checkpoint: CheckpointRow, context: Context): Promise<boolean> {
  const { walk, leaves, report } = context;
  const { size } = checkpoint;
  const start = walk.tree.size;
  const stored = await leaves.take(start, size);
  const signed = signedRoot(checkpoint, context);
  const copy = splitHashes(checkpoint.leaves);
  const isWholeCopy = checkpoint.leaves.length === (size - start) * hashLength;
  if (!isWholeCopy) {
    report(
      start,
      stored[0]?.entryId ?? null,
      `The checkpoint at ${size} signs ${size - start} entries since ${start} and lists ${copy.length}: a checkpoint was removed or changed`,
    );
  }
  const columns = stored.map((leaf) => leaf?.leafHash ?? sha256Tree.empty);
  const bodies = stored.map((leaf) => leaf?.bodyHash ?? sha256Tree.empty);
  // The rows say the same thing three times. Whichever of them the signature confirms is what was recorded.
  const candidates = isWholeCopy ? [copy, columns, bodies] : [columns, bodies];
  const confirmed =
    signed !== null && walk.isRooted ? candidates.find((hashes) => equal(grown(walk.tree, hashes).root(), signed)) : undefined;
  const truth = confirmed ?? candidates[0] ?? [];
  walk.tree = grown(walk.tree, truth);
  let explained = confirmed !== undefined;
  stored.forEach((leaf, index) => {
    const what = difference(leaf, truth[index], isWholeCopy ? copy[index] : undefined, start + index, size);
    if (what === null) return;
    explained = true;
    report(start + index, leaf?.entryId ?? null, what);
  });
  if (confirmed !== undefined || signed === null || !walk.isRooted) return confirmed !== undefined;
  walk.isRooted = false;
  if (!explained) {
    report(
      start,
      stored[0]?.entryId ?? null,
      `The root that was signed at ${size} is not that of the rows: entries ${start} to ${size - 1} were rewritten together`,
    );
  }
  return false;
}

/** What is wrong with a leaf, given what was signed; null when nothing is. */
function difference(
  leaf: CheckedLeaf | null,
  truth: Uint8Array | undefined,
  copy: Uint8Array | undefined,
  seq: number,
  size: number,
): string | null {
  if (leaf === null) return `Leaf ${seq} is missing: it was removed`;
  if (leaf.bodyHash === null) return `Entry ${leaf.entryId} is missing: it was removed, and its leaf remains`;
  if (truth === undefined) return null;
  if (!equal(leaf.bodyHash, truth)) {
    return equal(leaf.leafHash, truth)
      ? `The body of ${leaf.entryId} is not what was recorded, or its leaf was pointed at another entry`
      : `Entry ${leaf.entryId} at ${seq} is not what was recorded there: it was changed, moved or put in`;
  }
  if (!equal(leaf.leafHash, truth)) return `The leaf hash of ${leaf.entryId} was changed`;
  if (copy !== undefined && !equal(copy, truth)) return `The list of leaves in the checkpoint at ${size} was changed`;
  return null;
}

function grown(tree: MerkleTree, hashes: readonly Uint8Array[]): MerkleTree {
  const next = tree.fork();
  for (const hash of hashes) next.append(hash);
  return next;
}

/** The root that this checkpoint really signs; null when it signs none. */
function signedRoot(row: CheckpointRow, { verifiers, keys, origin, report }: Context): Uint8Array | null {
  const at = row.size - 1;
  const reading = readNote(row.note, verifiers);
  if (reading.type !== "signed") {
    report(at, null, `The checkpoint at ${row.size} is not signed by the ledger's key: it was changed`);
    return null;
  }
  const { text } = reading;
  const why = whyNotSigned(
    keys.changes,
    row.size,
    reading.signed.map(({ verifier }) => verifier.key),
  );
  if (why !== null) report(at, null, `The checkpoint at ${row.size} is not signed as it was to be: ${why}`);
  const signed = parseCheckpoint(text);
  if (signed === null || checkpointText(signed) !== text || signed.origin !== origin || signed.size !== row.size) {
    report(at, null, `The checkpoint stored for ${row.size} entries signs something else: ${JSON.stringify(text)}`);
    return null;
  }
  if (!equal(signed.root, row.root)) report(at, null, `The root beside the checkpoint at ${row.size} is not the one that it signs`);
  return signed.root;
}

async function publicKeys(rows: LedgerRows): Promise<KeyObject[]> {
  return (await rows.publicKeys()).map((key) => createPublicKey({ key, format: "der", type: "spki" }));
}

function collectProblems() {
  const bySeq = new Map<number, LedgerProblem>();
  const others: LedgerProblem[] = [];
  let count = 0;
  const report: Report = (seq, entryId, what) => {
    if (seq !== null && bySeq.has(seq)) return;
    count += 1;
    // Reports come nearly in order: keeping a few more than are listed keeps the first ones.
    if (seq === null ? others.length >= listed : bySeq.size >= 20 * listed) return;
    if (seq === null) others.push({ seq, entryId, what });
    else bySeq.set(seq, { seq, entryId, what });
  };
  return {
    report,
    count: () => count,
    sorted: () => [...[...bySeq.values()].sort((left, right) => (left.seq ?? 0) - (right.seq ?? 0)), ...others],
  };
}
