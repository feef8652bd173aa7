import { randomUUID } from "node:crypto";
import { RemitError } from "@remit/contract";
import { checkpointText, equal, formatNote, merkleTree, noteVerifier, openNote, parseCheckpoint } from "@remit/core";
import type { MerkleTree, NoteKey } from "@remit/core";
import type { KeyStore } from "../keys/key-store.ts";
import { noteCrypto } from "../keys/note-crypto.ts";
import { signLine } from "../keys/note-signer.ts";
import type { Signer } from "../keys/note-signer.ts";
import { defaultOrigin, firstSigner, sha256Tree } from "./ledger-key.ts";
import type { SequenceStore } from "./sequence-store.ts";
import type { TreeStore } from "./tree-store.ts";
import { createWaker } from "./waker.ts";

export type SequencerOptions = {
  sequence: SequenceStore;
  tree: TreeStore;
  keys: KeyStore;
  origin?: string;
  /** Who holds the lease while this one does. */
  holder?: string;
  /** All that sign each checkpoint, and every key that may have signed the last; asked at each takeover. Without it, the first key of `keys` alone. */
  signing?: () => Promise<{ signers: readonly Signer[]; known: readonly NoteKey[] }>;
  /** Subscribes to the hint that there is something to do; without it, polling finds it. */
  onAppended?: (listener: () => void) => void;
  /** What went wrong, once each time that it begins. It goes on trying. */
  onProblem?: (error: unknown) => void;
  /** How long a holder that says nothing keeps the lease. */
  leaseMs?: number;
  /** At least this long between two checkpoints under load: what bounds their number, and most of the merge delay. */
  mergeMs?: number;
  /** How often it looks without a hint: for what other servers have appended, and for the lease. */
  pollMs?: number;
  batchSize?: number;
};

export type Sequencer = {
  /** Resolves once everything that is committed now has its place under a signed checkpoint. @throws RemitError `ledger-unavailable` */
  flushed(): Promise<void>;
  /** Whether the ledger can go on. @throws RemitError `ledger-unavailable`, saying why not. */
  check(): void;
  /** Whether this server is the one that sequences, as far as it knows. */
  isLeading(): boolean;
  /** Sequences what waits, gives the lease back and ends. */
  stop(): Promise<void>;
};

type Lead = { epoch: string; tree: MerkleTree; signers: readonly Signer[]; renewedAt: number };

/**
 * Gives entries their order: one of the servers holds the lease, and writes leaves, tiles and a signed checkpoint in one statement
 * that checks its epoch. Every server runs one; those without the lease wait for it.
 */
export function startSequencer(options: SequencerOptions): Sequencer {
  const { sequence, tree: store, keys, origin = defaultOrigin, holder = randomUUID(), onProblem = () => {} } = options;
  const { leaseMs = 5_000, mergeMs = 100, pollMs = 200, batchSize = 2_000 } = options;
  const signing = options.signing ?? (async () => withKnown([await firstSigner(keys, origin)]));
  let lead: Lead | null = null;
  let problem: unknown = null;
  const waker = createWaker();
  options.onAppended?.(() => waker.wake());

  async function takeOver(): Promise<Lead | null> {
    const epoch = await sequence.takeOver(holder, leaseMs);
    if (epoch === null) return null;
    const { signers, known } = await signing();
    const tree = await resume(store, origin, known);
    await sequence.repair();
    return { epoch, tree, signers, renewedAt: performance.now() };
  }

  /** One batch. How many waited. */
  async function sequenceBatch(current: Lead): Promise<number> {
    const pending = await sequence.pending(batchSize);
    const { entries, orphans } = pending;
    if (orphans.length > 0) onProblem(new RemitError("internal", `${orphans.length} entries vanished before they were sequenced`));
    if (entries.length === 0) {
      if (pending.serials.length > 0) await sequence.discard(pending.serials);
      if (performance.now() - current.renewedAt > leaseMs / 3) await hold(current, sequence.renew(current.epoch, leaseMs));
      return 0;
    }
    const next = current.tree.fork();
    for (const { leafHash } of entries) next.append(leafHash);
    const checkpoint = { origin, size: next.size, root: next.root() };
    const text = checkpointText(checkpoint);
    const timestamp = Math.floor(Date.now() / 1000);
    const note = formatNote(text, await Promise.all(current.signers.map((signer) => signLine(signer, text, timestamp))));
    const batch = { pending, start: current.tree.size, tiles: next.takeTiles(), checkpoint: { ...checkpoint, note } };
    await hold(current, sequence.write(current.epoch, leaseMs, batch));
    current.tree = next;
    return entries.length + orphans.length;
  }

  async function hold(current: Lead, written: Promise<boolean>): Promise<void> {
    if (!(await written)) throw new Fenced();
    current.renewedAt = performance.now();
  }

  async function turn(): Promise<number> {
    try {
      lead ??= await takeOver();
      const found = lead === null ? 0 : await sequenceBatch(lead);
      problem = null;
      return found;
    } catch (error) {
      // Whatever it was, what is in memory may no longer be what is stored: begin again from there.
      lead = null;
      if (error instanceof Fenced) return 0;
      if (problem === null) onProblem(error);
      problem = error;
      return 0;
    }
  }

  async function run(): Promise<void> {
    let isWoken = false;
    while (!waker.isStopped()) {
      const began = performance.now();
      const found = await turn();
      // What is found without a hint is another server's, which is likely to append more.
      if (found < batchSize) isWoken = await waker.untilWoken(found > 0 && !isWoken ? mergeMs : pollMs);
      const isHurried = await waker.untilHurried(mergeMs - (performance.now() - began));
      // In the middle of a call a batch takes the processor and the disk that the call waits for. Under load there is no lull.
      if (!isHurried) await waker.untilQuiet(lullMs, patienceMs);
    }
    while (lead !== null && (await turn()) >= batchSize);
    if (lead !== null) await sequence.release(lead.epoch).catch(onProblem);
  }

  const running = run();

  function check(): void {
    if (waker.isStopped()) throw new RemitError("ledger-unavailable", "The sequencer has stopped");
    if (problem === null) return;
    const words = problem instanceof Error ? problem.message : "unknown";
    throw new RemitError("ledger-unavailable", `The ledger cannot go on: ${words}`, { cause: problem });
  }

  return {
    check,
    isLeading: () => lead !== null,
    async flushed() {
      const newest = await sequence.newest();
      if (newest === null) return;
      while (await sequence.isPendingUpTo(newest)) {
        check();
        waker.hurry();
        await waker.untilStopped(5);
      }
    },
    async stop() {
      waker.stop();
      await running;
    },
  };
}

class Fenced extends Error {}

/** So long after something was appended, its call is likely to be over. */
const lullMs = 10;

const patienceMs = 20;

function withKnown(signers: readonly Signer[]): { signers: readonly Signer[]; known: readonly NoteKey[] } {
  return { signers, known: signers.map(({ key }) => key) };
}

/** The tree as it is stored, if it is what was signed last. Otherwise somebody changed it, and to sign on would hide that. */
async function resume(store: TreeStore, origin: string, known: readonly NoteKey[]): Promise<MerkleTree> {
  const { checkpoint, leaves } = await store.last();
  const size = checkpoint?.size ?? 0;
  if (leaves !== size) throw mismatch(`its last checkpoint signs ${size} entries, and ${leaves} are sequenced`);
  if (checkpoint === null) return merkleTree(sha256Tree);
  const verifiers = known.map((key) => noteVerifier(noteCrypto, key));
  const signed = parseCheckpoint(openNote(checkpoint.note, verifiers) ?? "");
  if (signed === null) throw mismatch(`its checkpoint at ${size} is not signed by this ledger's key under the name ${origin}`);
  if (signed.origin !== origin || signed.size !== size) throw mismatch(`its checkpoint at ${size} signs something else`);
  const tree = merkleTree(sha256Tree, await store.edge(size));
  if (tree.size !== size || !equal(tree.root(), signed.root)) throw mismatch(`its rows do not give the root that was signed at ${size}`);
  return tree;
}

function mismatch(what: string): RemitError {
  return new RemitError("ledger-unavailable", `The ledger is not continued, because ${what}. Run: remit audit verify`);
}
