import type { TreeNode } from "@remit/core";
import { hashLength, merkleTree, splitHashes, tileOf, tileWidth } from "@remit/core";
import { RemitError } from "@remit/contract";
import type { Queryable } from "../database/database.ts";
import { sha256Tree } from "./ledger-key.ts";
import type { StoredCheckpoint, TreeStore } from "./tree-store.ts";

type CheckpointRow = { size: string; root: Buffer; note: string; at: Date };

export function createTreeStore(database: Queryable): TreeStore {
  const hashesOfLeaves = async (from: number, to: number): Promise<Uint8Array[]> => {
    const rows = await database.query<{ leaf_hash: Buffer }>(
      "SELECT leaf_hash FROM ledger_leaf WHERE seq >= $1 AND seq < $2 ORDER BY seq",
      [from, to],
    );
    return rows.map((row) => row.leaf_hash);
  };

  const rootsOfTiles = async (level: number, from: number, to: number): Promise<Uint8Array[]> => {
    const rows = await database.query<{ root: Buffer }>(
      "SELECT root FROM ledger_tile WHERE level = $1 AND index >= $2 AND index < $3 ORDER BY index",
      [level, from, to],
    );
    return rows.map((row) => row.root);
  };

  /** Hashes of tree level `8 * level`: from a full tile, or from below where that tile is not full. */
  async function hashesAt(level: number, from: number, count: number): Promise<Uint8Array[]> {
    const [tile] = await database.query<{ hashes: Buffer }>("SELECT hashes FROM ledger_tile WHERE level = $1 AND index = $2", [
      level,
      Math.floor(from / tileWidth),
    ]);
    const first = from % tileWidth;
    if (tile !== undefined) return splitHashes(tile.hashes.subarray(first * hashLength, (first + count) * hashLength));
    return level === 0 ? hashesOfLeaves(from, from + count) : rootsOfTiles(level - 1, from, from + count);
  }

  async function node(wanted: TreeNode): Promise<Uint8Array> {
    const { level, index, first, count } = tileOf(wanted);
    const hashes = await hashesAt(level, index * tileWidth + first, count);
    if (hashes.length !== count) {
      throw new RemitError(
        "ledger-unavailable",
        `The ledger misses tree node ${wanted.index} of level ${wanted.level}. Run: remit audit verify`,
      );
    }
    const subtree = merkleTree(sha256Tree);
    for (const hash of hashes) subtree.append(hash);
    return subtree.root();
  }

  return {
    async last() {
      const [row] = await database.query<CheckpointRow & { leaves: string }>(
        `SELECT c.*, l.leaves FROM (SELECT coalesce(max(seq) + 1, 0) AS leaves FROM ledger_leaf) l
         LEFT JOIN (SELECT size, root, note, at FROM ledger_checkpoint ORDER BY size DESC LIMIT 1) c ON true`,
      );
      return { checkpoint: row === undefined || row.size === null ? null : checkpointOf(row), leaves: Number(row?.leaves ?? 0) };
    },
    async holding(seq) {
      const [row] = await database.query<CheckpointRow>(
        "SELECT size, root, note, at FROM ledger_checkpoint WHERE size > $1 ORDER BY size LIMIT 1",
        [seq],
      );
      return row === undefined ? null : checkpointOf(row);
    },
    async at(size) {
      const [row] = await database.query<CheckpointRow>("SELECT size, root, note, at FROM ledger_checkpoint WHERE size = $1", [size]);
      return row === undefined ? null : checkpointOf(row);
    },
    hashes: hashesAt,
    async edge(size) {
      const edge: Uint8Array[][] = [];
      for (let level = 0; tileWidth ** level <= size; level += 1) {
        const count = Math.floor(size / tileWidth ** level);
        const start = count - (count % tileWidth);
        edge.push(level === 0 ? await hashesOfLeaves(start, count) : await rootsOfTiles(level - 1, start, count));
      }
      return edge;
    },
    nodes: (nodes) => Promise.all(nodes.map(node)),
    async leafOf(entryId) {
      const [row] = await database.query<{ seq: string; leaf_hash: Buffer }>("SELECT seq, leaf_hash FROM ledger_leaf WHERE entry_id = $1", [
        entryId,
      ]);
      return row === undefined ? null : { seq: Number(row.seq), leafHash: row.leaf_hash };
    },
  };
}

function checkpointOf(row: CheckpointRow): StoredCheckpoint {
  return { size: Number(row.size), root: row.root, note: row.note, at: row.at };
}
