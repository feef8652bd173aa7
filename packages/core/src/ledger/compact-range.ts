import { spanNodes } from "./proof.ts";
import type { TreeHash } from "./tree-hash.ts";

/**
 * The right edge of a tree, and nothing else: enough to append to it and to know its root. Unlike `merkleTree`, it can begin in the
 * middle, behind subtrees of which only the roots are known, and take whole subtrees.
 */
export type CompactRange = {
  readonly size: number;
  append(leaf: Uint8Array): void;
  /** Appends a perfect subtree of `2^level` leaves. @throws RangeError where one of that height cannot stand */
  appendSubtree(level: number, root: Uint8Array): void;
  root(): Uint8Array;
  fork(): CompactRange;
};

type Peak = { level: number; hash: Uint8Array };

/** A tree of `size` leaves, given by the roots of its perfect subtrees, from the left. Null: there are not so many of them. */
export function compactRange(hash: TreeHash, size = 0, peaks: readonly Uint8Array[] = []): CompactRange | null {
  const nodes = spanNodes({ start: 0, end: size });
  if (nodes.length !== peaks.length) return null;
  return grow(
    hash,
    size,
    nodes.map(({ level }, index) => ({ level, hash: peaks[index] ?? hash.empty })),
  );
}

function grow(hash: TreeHash, start: number, peaks: Peak[]): CompactRange {
  let size = start;

  function add(level: number, root: Uint8Array): void {
    let peak: Peak = { level, hash: root };
    size += 2 ** level;
    for (let left = peaks.at(-1); left?.level === peak.level; left = peaks.at(-1)) {
      peaks.pop();
      peak = { level: peak.level + 1, hash: hash.node(left.hash, peak.hash) };
    }
    peaks.push(peak);
  }

  return {
    get size() {
      return size;
    },
    append: (leaf) => add(0, leaf),
    appendSubtree(level, root) {
      if (size % 2 ** level !== 0) throw new RangeError(`no subtree of level ${level} begins at ${size}`);
      add(level, root);
    },
    root: () =>
      peaks.reduceRight<Uint8Array | null>((right, { hash: left }) => (right === null ? left : hash.node(left, right)), null) ?? hash.empty,
    fork: () => grow(hash, size, [...peaks]),
  };
}
