import type { TreeNode } from "@remit/core";

/** The Merkle tree as it is kept: leaves, full tiles and signed checkpoints. */
export type TreeStore = {
  /** The last checkpoint, with the number of leaves that are stored: more or fewer than its size means that somebody changed them. */
  last(): Promise<{ checkpoint: StoredCheckpoint | null; leaves: number }>;
  /** The checkpoint that is the first to hold leaf `seq`; null while there is none. */
  holding(seq: number): Promise<StoredCheckpoint | null>;
  /** For each tile level, the hashes of the tile that is not full at this size. */
  edge(size: number): Promise<Uint8Array[][]>;
  /** The checkpoint of exactly this size; null where none was signed. */
  at(size: number): Promise<StoredCheckpoint | null>;
  /** Consecutive nodes of tree level `8 * level`, as tiles hold them, all of one tile. Fewer where the tree does not have them. */
  hashes(level: number, from: number, count: number): Promise<Uint8Array[]>;
  /** The hashes of perfect subtrees, in the order asked for. */
  nodes(nodes: readonly TreeNode[]): Promise<Uint8Array[]>;
  /** Where an entry is; null while it is not sequenced. */
  leafOf(entryId: string): Promise<{ seq: number; leafHash: Uint8Array } | null>;
};

export type StoredCheckpoint = { size: number; root: Uint8Array; note: string; at: Date };
