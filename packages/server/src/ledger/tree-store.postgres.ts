import { hashLength, merkleTree, splitHashes, tileOf, tileWidth } from "@remit/core";
import { RemitError } from "@remit/contract";
import type { Queryable } from "../database/database.ts";
import { sha256Tree } from "./ledger-key.ts";
import type { StoredCheckpoint, TreeStore } from "./tree-store.ts";

/** A tile, and which of its hashes are needed. */
type NeededTile = { level: number; index: number; first: number; end: number };

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

  /** Tiles that are full, in one question however many. */
  async function fullTiles(tiles: readonly NeededTile[]): Promise<Map<string, Uint8Array[]>> {
    const rows = await database.query<{ level: number; index: string; hashes: Buffer }>({ name: "ledger-tiles", text: tilesSql }, [
      tiles.map(({ level }) => level),
      tiles.map(({ index }) => index),
    ]);
    return new Map(rows.map((row) => [`${row.level}/${row.index}`, splitHashes(row.hashes)]));
  }

  /** The hashes of a tile that is not full, each at its place: what is missing leaves a hole, and moves nothing. */
  async function growingTile({ level, index, first, end }: NeededTile): Promise<Uint8Array[]> {
    const start = index * tileWidth;
    const rows = await (level === 0
      ? database.query<{ place: string; hash: Buffer }>({ name: "ledger-leaves", text: leavesSql }, [start + first, start + end])
      : database.query<{ place: string; hash: Buffer }>({ name: "ledger-roots", text: rootsSql }, [level - 1, start + first, start + end]));
    const hashes: Uint8Array[] = [];
    for (const { place, hash } of rows) hashes[Number(place) - start] = hash;
    return hashes;
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
    async nodes(nodes) {
      const parts = nodes.map((node) => ({ node, ...tileOf(node) }));
      const tiles = new Map<string, NeededTile>();
      for (const { level, index, first, count } of parts) {
        const name = `${level}/${index}`;
        const known = tiles.get(name);
        tiles.set(name, { level, index, first: Math.min(first, known?.first ?? first), end: Math.max(first + count, known?.end ?? 0) });
      }
      if (tiles.size === 0) return [];
      const full = await fullTiles([...tiles.values()]);
      const hashes = new Map(
        await Promise.all([...tiles].map(async ([name, tile]) => [name, full.get(name) ?? (await growingTile(tile))] as const)),
      );
      return parts.map(({ node, level, index, first, count }) => {
        const below = hashes.get(`${level}/${index}`)?.slice(first, first + count) ?? [];
        const subtree = merkleTree(sha256Tree);
        for (const hash of below) if (hash !== undefined) subtree.append(hash);
        if (subtree.size === count) return subtree.root();
        throw new RemitError(
          "ledger-unavailable",
          `The ledger misses tree node ${node.index} of level ${node.level}. Run: remit audit verify`,
        );
      });
    },
    async leafOf(entryId) {
      const [row] = await database.query<{ seq: string; leaf_hash: Buffer }>("SELECT seq, leaf_hash FROM ledger_leaf WHERE entry_id = $1", [
        entryId,
      ]);
      return row === undefined ? null : { seq: Number(row.seq), leafHash: row.leaf_hash };
    },
  };
}

const tilesSql = `
SELECT level, index, hashes FROM unnest($1::smallint[], $2::bigint[]) AS needed (level, index) JOIN ledger_tile USING (level, index)`;
const leavesSql = "SELECT seq AS place, leaf_hash AS hash FROM ledger_leaf WHERE seq >= $1 AND seq < $2";
const rootsSql = "SELECT index AS place, root AS hash FROM ledger_tile WHERE level = $1 AND index >= $2 AND index < $3";

function checkpointOf(row: CheckpointRow): StoredCheckpoint {
  return { size: Number(row.size), root: row.root, note: row.note, at: row.at };
}
