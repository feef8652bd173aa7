import type { TreeNode } from "./tile.ts";
import type { TreeHash } from "./tree-hash.ts";
import { hashLength } from "./tree-hash.ts";

/** Leaves `start` up to `end`, not including it. */
export type Span = { start: number; end: number };

/** Reads the hash of a perfect subtree. */
export type ReadNode = (node: TreeNode) => Uint8Array;

/**
 * The spans whose roots prove that leaf `index` is in the tree of `size` leaves, in the order of the proof (RFC 6962, 2.1.1).
 * Spans, not hashes, so that a caller can fetch what it needs before anything is computed.
 */
export function inclusionSpans(index: number, size: number): Span[] {
  assertRange(index >= 0 && index < size, `no leaf ${index} in a tree of ${size}`);
  return path(index, { start: 0, end: size });
}

function path(index: number, tree: Span): Span[] {
  if (tree.end - tree.start === 1) return [];
  const middle = tree.start + split(tree.end - tree.start);
  return index < middle
    ? [...path(index, { start: tree.start, end: middle }), { start: middle, end: tree.end }]
    : [...path(index, { start: middle, end: tree.end }), { start: tree.start, end: middle }];
}

/** The spans whose roots prove that the tree of `size` leaves begins with the tree of `oldSize` leaves (RFC 6962, 2.1.2). */
export function consistencySpans(oldSize: number, size: number): Span[] {
  assertRange(oldSize >= 1 && oldSize <= size, `no tree of ${oldSize} leaves in a tree of ${size}`);
  return subproof(oldSize, { start: 0, end: size }, true);
}

function subproof(oldEnd: number, tree: Span, whole: boolean): Span[] {
  if (oldEnd === tree.end) return whole ? [] : [tree];
  const middle = tree.start + split(tree.end - tree.start);
  return oldEnd <= middle
    ? [...subproof(oldEnd, { start: tree.start, end: middle }, whole), { start: middle, end: tree.end }]
    : [...subproof(oldEnd, { start: middle, end: tree.end }, false), { start: tree.start, end: middle }];
}

/** The perfect subtrees that a span consists of, from the left. Its start must be aligned, as the spans of proofs are. */
export function spanNodes(span: Span): TreeNode[] {
  const nodes: TreeNode[] = [];
  let start = span.start;
  while (start < span.end) {
    let level = 0;
    while (start % 2 ** (level + 1) === 0 && start + 2 ** (level + 1) <= span.end) level += 1;
    nodes.push({ level, index: start / 2 ** level });
    start += 2 ** level;
  }
  return nodes;
}

/** The root of a span. */
export function spanRoot(hash: TreeHash, span: Span, read: ReadNode): Uint8Array {
  return spanNodes(span)
    .map(read)
    .reduceRight((right, left) => hash.node(left, right));
}

/**
 * Whether `proof` shows that `leaf` is leaf number `index` of the tree with this root (RFC 9162, 2.1.3.2).
 * False for every malformed proof.
 */
export function verifyInclusion(
  hash: TreeHash,
  claim: { index: number; size: number; leaf: Uint8Array; root: Uint8Array },
  proof: readonly Uint8Array[],
): boolean {
  if (!isSize(claim.size) || !isSize(claim.index) || claim.index >= claim.size || !areHashes([claim.leaf, claim.root, ...proof]))
    return false;
  let node = claim.index;
  let last = claim.size - 1;
  let root = claim.leaf;
  for (const sibling of proof) {
    if (last === 0) return false;
    if (node % 2 === 1 || node === last) {
      root = hash.node(sibling, root);
      while (node % 2 === 0 && node !== 0) [node, last] = [half(node), half(last)];
    } else {
      root = hash.node(root, sibling);
    }
    [node, last] = [half(node), half(last)];
  }
  return last === 0 && equal(root, claim.root);
}

/**
 * Whether `proof` shows that the tree with root `root` begins with the tree with root `oldRoot` (RFC 9162, 2.1.4.2).
 * False for every malformed proof. Every tree begins with the empty one, which needs no proof.
 */
export function verifyConsistency(
  hash: TreeHash,
  claim: { oldSize: number; oldRoot: Uint8Array; size: number; root: Uint8Array },
  proof: readonly Uint8Array[],
): boolean {
  const { oldSize, oldRoot, size, root } = claim;
  if (!isSize(oldSize) || !isSize(size) || oldSize > size || !areHashes([oldRoot, root, ...proof])) return false;
  if (oldSize === 0) return proof.length === 0 && equal(oldRoot, hash.empty);
  if (oldSize === size) return proof.length === 0 && equal(oldRoot, root);
  // The old tree is itself a node of the new one when it is perfect: then the proof does not repeat it.
  const [first, ...rest] = 2 ** Math.round(Math.log2(oldSize)) === oldSize ? [oldRoot, ...proof] : proof;
  if (first === undefined) return false;
  let node = oldSize - 1;
  let last = size - 1;
  while (node % 2 === 1) [node, last] = [half(node), half(last)];
  let oldComputed = first;
  let computed = first;
  for (const sibling of rest) {
    if (last === 0) return false;
    if (node % 2 === 1 || node === last) {
      oldComputed = hash.node(sibling, oldComputed);
      computed = hash.node(sibling, computed);
      while (node % 2 === 0 && node !== 0) [node, last] = [half(node), half(last)];
    } else {
      computed = hash.node(computed, sibling);
    }
    [node, last] = [half(node), half(last)];
  }
  return last === 0 && equal(oldComputed, oldRoot) && equal(computed, root);
}

/** The largest power of two below `count`: where RFC 6962 splits a tree. */
function split(count: number): number {
  let power = 1;
  while (power * 2 < count) power *= 2;
  return power;
}

// Sizes may pass 2^31, where bit operators wrap.
function half(value: number): number {
  return Math.floor(value / 2);
}

function isSize(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function areHashes(values: readonly Uint8Array[]): boolean {
  return values.every((value) => value.length === hashLength);
}

export function equal(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  for (let index = 0; index < left.length; index += 1) if (left[index] !== right[index]) return false;
  return true;
}

function assertRange(holds: boolean, message: string): void {
  if (!holds) throw new RangeError(message);
}
