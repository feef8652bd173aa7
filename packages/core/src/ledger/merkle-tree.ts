import type { Tile } from "./tile.ts";
import { joinHashes, tileHeight, tileWidth } from "./tile.ts";
import type { TreeHash } from "./tree-hash.ts";

/**
 * An append-only Merkle tree that keeps only its right edge: the roots of its perfect subtrees (the compact range)
 * and the tiles that are not yet full. Memory grows with the logarithm of its size.
 */
export type MerkleTree = {
  readonly size: number;
  root(): Uint8Array;
  append(leaf: Uint8Array): void;
  /** The tiles that became full since the last call, children before parents. */
  takeTiles(): Tile[];
  /** A copy to append to, so that a batch whose commit fails leaves this one as it was. */
  fork(): MerkleTree;
};

/** For each tile level from 0, the hashes of the tile that is not yet full. */
export type TreeEdge = readonly (readonly Uint8Array[])[];

type Subtree = { level: number; hash: Uint8Array };
type State = { size: number; peaks: Subtree[]; partial: Uint8Array[][]; full: Tile[] };

export function merkleTree(hash: TreeHash, edge: TreeEdge = []): MerkleTree {
  const state: State = { size: 0, peaks: [], partial: [], full: [] };
  for (let level = edge.length - 1; level >= 0; level -= 1) {
    for (const node of edge[level] ?? []) add(hash, state, { level: level * tileHeight, hash: node });
  }
  return new EdgeTree(hash, state);
}

/** A class for the sake of its getter: one of an object literal, of which there is one for each batch, would be kept with all that it sees. */
class EdgeTree implements MerkleTree {
  readonly #hash: TreeHash;
  readonly #state: State;

  constructor(hash: TreeHash, state: State) {
    this.#hash = hash;
    this.#state = state;
  }

  get size(): number {
    return this.#state.size;
  }

  root(): Uint8Array {
    return rootOf(this.#hash, this.#state.peaks);
  }

  append(leaf: Uint8Array): void {
    add(this.#hash, this.#state, { level: 0, hash: leaf });
  }

  takeTiles(): Tile[] {
    const tiles = this.#state.full;
    this.#state.full = [];
    return tiles;
  }

  fork(): MerkleTree {
    const { size, peaks, partial, full } = this.#state;
    return new EdgeTree(this.#hash, { size, peaks: [...peaks], partial: partial.map((hashes) => [...hashes]), full: [...full] });
  }
}

/** Adds a perfect subtree at the right, and merges as long as the last two are of one height. */
function add(hash: TreeHash, state: State, subtree: Subtree): void {
  state.size += 2 ** subtree.level;
  let last = subtree;
  keep(state, last);
  for (let left = state.peaks.at(-1); left?.level === last.level; left = state.peaks.at(-1)) {
    state.peaks.pop();
    last = { level: last.level + 1, hash: hash.node(left.hash, last.hash) };
    keep(state, last);
  }
  state.peaks.push(last);
}

/** Every eighth level of nodes goes into tiles; a node at the next such level says that the tile below it is full. */
function keep(state: State, node: Subtree): void {
  if (node.level % tileHeight !== 0) return;
  const level = node.level / tileHeight;
  const below = state.partial[level - 1];
  if (below?.length === tileWidth) {
    state.full.push({ level: level - 1, index: state.size / 2 ** node.level - 1, hashes: joinHashes(below), root: node.hash });
    state.partial[level - 1] = [];
  }
  const hashes = (state.partial[level] ??= []);
  hashes.push(node.hash);
}

function rootOf(hash: TreeHash, peaks: readonly Subtree[]): Uint8Array {
  let root: Uint8Array | null = null;
  for (let index = peaks.length - 1; index >= 0; index -= 1) {
    const peak = peaks[index];
    if (peak !== undefined) root = root === null ? peak.hash : hash.node(peak.hash, root);
  }
  return root ?? hash.empty;
}
