import type { ConsistencyProof } from "@remit/contract";
import { RemitError } from "@remit/contract";
import {
  encodeEntryBundle,
  formatTlogProof,
  joinHashes,
  parseCheckpoint,
  parseNote,
  tileWidth,
  toBase64,
  verifyConsistency,
  verifyInclusion,
} from "@remit/core";
import type { TileRequest } from "@remit/core";
import type { AuditStore } from "../ledger/audit.store.ts";
import { sha256Tree } from "../ledger/ledger-key.ts";
import { createTreeProofs } from "../ledger/tree-proofs.ts";
import type { StoredCheckpoint, TreeStore } from "../ledger/tree-store.ts";
import type { EntryBodies } from "./tlog.store.ts";

/** The notes of checkpoints as they are given out. */
export type CheckpointNotes = {
  /** The note of a checkpoint with every cosignature that there is of it. */
  whole(checkpoint: Pick<StoredCheckpoint, "size" | "note">): Promise<string>;
  /** The newest checkpoint that enough organisations have witnessed; null while there is none. */
  witnessed(): Promise<StoredCheckpoint | null>;
};

export type TlogDeps = {
  tree: TreeStore;
  entries: EntryBodies;
  store: Pick<AuditStore, "body">;
  notes: CheckpointNotes;
};

/** The ledger as a transparency log: what anybody needs to check it with tools that are not ours. */
export type Tlog = {
  /** The newest checkpoint; null while there is none. */
  checkpoint(): Promise<string | null>;
  /** Null for what the ledger does not hold (yet), and for what is no tile of any size that was signed. */
  tile(request: TileRequest): Promise<Uint8Array | null>;
  /** A file that proves one entry, under the newest checkpoint that was witnessed and holds it, else the newest. @throws RemitError `not-found` | `conflict` */
  proof(entryId: string, options: { body: boolean }): Promise<string>;
  /** @throws RemitError `invalid-request` where there is no such size */
  consistency(from: number, to: number | null): Promise<ConsistencyProof>;
};

export function createTlog({ tree, entries, store, notes }: TlogDeps): Tlog {
  const proofs = createTreeProofs(tree);
  // A full tile never changes: the few that everybody asks for are not asked of the database again.
  const full = new Map<string, Uint8Array>();

  async function hashTile(level: number, index: number, width: number): Promise<Uint8Array | null> {
    const hashes = await tree.hashes(level, index * tileWidth, width);
    return hashes.length === width ? joinHashes(hashes) : null;
  }

  async function entryBundle(index: number, width: number): Promise<Uint8Array | null> {
    const bodies = await entries.bodies(index * tileWidth, index * tileWidth + width);
    return bodies.length === width ? encodeEntryBundle(bodies) : null;
  }

  return {
    async checkpoint() {
      const { checkpoint } = await tree.last();
      return checkpoint === null ? null : notes.whole(checkpoint);
    },
    async tile({ level, index, width }) {
      const name = `${level}/${index}`;
      const known = width === tileWidth ? full.get(name) : undefined;
      if (known !== undefined) return known;
      const { checkpoint } = await tree.last();
      const below = tileWidth ** (level === "entries" ? 0 : level);
      const end = (index * tileWidth + width) * below;
      if (checkpoint === null || end > checkpoint.size) return null;
      if (level === "entries") return entryBundle(index, width);
      const tile = await hashTile(level, index, width);
      if (tile !== null && width === tileWidth) {
        if (full.size >= 512) full.clear();
        full.set(name, tile);
      }
      return tile;
    },
    async proof(entryId, { body: withBody }) {
      const [body, leaf, { checkpoint: newest }, witnessed] = await Promise.all([
        store.body(entryId),
        tree.leafOf(entryId),
        tree.last(),
        notes.witnessed(),
      ]);
      if (body === null) throw new RemitError("not-found", `The ledger has no entry ${entryId}`);
      const checkpoint = leaf !== null && witnessed !== null && witnessed.size > leaf.seq ? witnessed : newest;
      if (leaf === null || checkpoint === null || checkpoint.size <= leaf.seq) {
        throw new RemitError("conflict", "The entry is recorded and waits for its place in the ledger; ask again in a moment");
      }
      const [proof, note] = await Promise.all([proofs.inclusion(leaf.seq, checkpoint.size), notes.whole(checkpoint)]);
      const claim = { index: leaf.seq, size: checkpoint.size, leaf: sha256Tree.leaf(body), root: signedRoot(note, checkpoint.size) };
      // A proof that does not hold is worse than none.
      if (!verifyInclusion(sha256Tree, claim, proof)) throw changed(`Entry ${entryId} cannot be proved`);
      return formatTlogProof({ extra: withBody ? body : null, index: leaf.seq, proof, checkpoint: note });
    },
    async consistency(from, to) {
      const { checkpoint: newest } = await tree.last();
      const size = to ?? newest?.size ?? 0;
      if (newest === null || size > newest.size || from > size) {
        throw new RemitError(
          "invalid-request",
          `There is no proof from ${from} to ${size}: the ledger has ${newest?.size ?? 0} entries under its checkpoint`,
        );
      }
      const [proof, oldRoot, root] = await Promise.all([proofs.consistency(from, size), proofs.root(from), proofs.root(size)]);
      const [before, after] = await Promise.all([tree.at(from), tree.at(size)]);
      const isSigned = [
        { checkpoint: before, root: oldRoot },
        { checkpoint: after, root },
      ].every(({ checkpoint, root }) => checkpoint === null || Buffer.from(signedRoot(checkpoint.note, checkpoint.size)).equals(root));
      if (!isSigned || !verifyConsistency(sha256Tree, { oldSize: from, oldRoot, size, root }, proof)) {
        throw changed(`That the ledger of ${size} entries continues the one of ${from} cannot be proved`);
      }
      return {
        from,
        to: size,
        proof: proof.map(toBase64),
        fromRoot: toBase64(oldRoot),
        toRoot: toBase64(root),
        fromCheckpoint: before === null ? null : await notes.whole(before),
        toCheckpoint: after === null ? null : await notes.whole(after),
      };
    },
  };
}

/** What a note says the root is. Nothing that is stored beside it counts. */
function signedRoot(note: string, size: number): Uint8Array {
  const signed = parseCheckpoint(parseNote(note)?.text ?? "");
  return signed?.size === size ? signed.root : sha256Tree.empty;
}

function changed(what: string): RemitError {
  return new RemitError("ledger-unavailable", `${what}: the ledger was changed. Run: remit audit verify`);
}
