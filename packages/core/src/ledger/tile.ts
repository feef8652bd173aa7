import { hashLength } from "./tree-hash.ts";

/** Levels of the tree in one tile, as in C2SP tlog-tiles. */
export const tileHeight = 8;
/** Hashes at the bottom of one full tile. */
export const tileWidth = 2 ** tileHeight;

/** A full tile: 256 consecutive nodes of tree level `8 * level`. It never changes once it exists. */
export type Tile = {
  level: number;
  index: number;
  /** The nodes, joined. */
  hashes: Uint8Array;
  /** The node above them all: one of the nodes of the tile one level up. */
  root: Uint8Array;
};

/** A node of the tree: the root of the perfect subtree over leaves `index * 2^level` up to `(index + 1) * 2^level`. */
export type TreeNode = { level: number; index: number };

/** The tile that holds what a node is computed from, and which of its hashes: `count` of them from `first`. */
export function tileOf(node: TreeNode): { level: number; index: number; first: number; count: number } {
  const level = Math.floor(node.level / tileHeight);
  const count = 2 ** (node.level % tileHeight);
  const start = node.index * count;
  return { level, index: Math.floor(start / tileWidth), first: start % tileWidth, count };
}

/**
 * The path of a tile as C2SP tlog-tiles writes it: `tile/0/x001/234`, partial tiles end in `.p/<width>`.
 * @see https://c2sp.org/tlog-tiles
 */
export function tilePath(tile: { level: number | "entries"; index: number }, width: number = tileWidth): string {
  let rest = tile.index;
  let path = String(rest % 1000).padStart(3, "0");
  for (rest = Math.floor(rest / 1000); rest > 0; rest = Math.floor(rest / 1000)) {
    path = `x${String(rest % 1000).padStart(3, "0")}/${path}`;
  }
  return `tile/${tile.level}/${path}${width === tileWidth ? "" : `.p/${width}`}`;
}

/** What a path of C2SP tlog-tiles asks for: a tile of hashes, or (`level` is "entries") a bundle of entries. */
export type TileRequest = { level: number | "entries"; index: number; width: number };

/** Reads what {@link tilePath} writes, and nothing else: one tile has one path. */
export function parseTilePath(path: string): TileRequest | null {
  const [, level = "", groups = "", width] =
    /^tile\/(entries|0|[1-9][0-9]?)\/((?:x[0-9]{3}\/)*[0-9]{3})(?:\.p\/([1-9][0-9]{0,2}))?$/.exec(path) ?? [];
  const index = Number(groups.replaceAll(/[x/]/g, ""));
  const request = {
    level: level === "entries" ? level : Number(level),
    index,
    width: width === undefined ? tileWidth : Number(width),
  } as const;
  if (groups === "" || !Number.isSafeInteger(index) || (width !== undefined && request.width >= tileWidth)) return null;
  return request.level !== "entries" && request.level > 63 ? null : tilePath(request, request.width) === path ? request : null;
}

export function joinHashes(hashes: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(hashes.length * hashLength);
  hashes.forEach((hash, index) => joined.set(hash, index * hashLength));
  return joined;
}

export function splitHashes(joined: Uint8Array): Uint8Array[] {
  const hashes: Uint8Array[] = [];
  for (let start = 0; start + hashLength <= joined.length; start += hashLength) hashes.push(joined.subarray(start, start + hashLength));
  return hashes;
}
