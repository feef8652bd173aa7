import { createHash } from "node:crypto";

/**
 * The proofs of RFC 9162 a second time, for tests: recursive, straight from the definitions, on hexadecimal text, and with no line of ours in it.
 * The other one walks bits from the leaf upwards.
 */

type Hex = string;

function sha256(hex: string): Hex {
  return createHash("sha256").update(Buffer.from(hex, "hex")).digest("hex");
}

export function leafHash(hex: string): Hex {
  return sha256(`00${hex}`);
}

function above(left: Hex, right: Hex): Hex {
  return sha256(`01${left}${right}`);
}

/** "The largest power of two smaller than n". */
function largestBelow(n: number): number {
  return n <= 2 ? 1 : 2 * largestBelow(Math.ceil(n / 2));
}

const trees = new Map<string, Hex>();

/** MTH of leaves `from` up to `to`, section 2.1.1. `name` tells trees apart. */
export function treeHead(name: string, leaves: readonly Hex[], from = 0, to = leaves.length): Hex {
  if (to === from) return sha256("");
  if (to - from === 1) return leaves[from] ?? "";
  const id = `${name} ${from} ${to}`;
  const known = trees.get(id);
  if (known !== undefined) return known;
  const k = largestBelow(to - from);
  const head = above(treeHead(name, leaves, from, from + k), treeHead(name, leaves, from + k, to));
  trees.set(id, head);
  return head;
}

/** PATH(m, D_n), section 2.1.3.1. */
export function inclusionPath(name: string, leaves: readonly Hex[], m: number, from = 0, to = leaves.length): Hex[] {
  if (to - from === 1) return [];
  const k = largestBelow(to - from);
  return m < k
    ? [...inclusionPath(name, leaves, m, from, from + k), treeHead(name, leaves, from + k, to)]
    : [...inclusionPath(name, leaves, m - k, from + k, to), treeHead(name, leaves, from, from + k)];
}

/** PROOF(m, D_n), section 2.1.4.1. */
export function consistencyPath(name: string, leaves: readonly Hex[], m: number, n: number): Hex[] {
  const subproof = (m: number, from: number, to: number, isWhole: boolean): Hex[] => {
    if (m === to - from) return isWhole ? [] : [treeHead(name, leaves, from, to)];
    const k = largestBelow(to - from);
    return m <= k
      ? [...subproof(m, from, from + k, isWhole), treeHead(name, leaves, from + k, to)]
      : [...subproof(m - k, from + k, to, false), treeHead(name, leaves, from, from + k)];
  };
  return m === 0 ? [] : subproof(m, 0, n, true);
}

/** The root that a path leads to; null where it is not as long as it must be. */
export function rootOfInclusion(m: number, n: number, leaf: Hex, path: readonly Hex[]): Hex | null {
  if (m >= n) return null;
  if (n === 1) return path.length === 0 ? leaf : null;
  const last = path.at(-1);
  if (last === undefined) return null;
  const k = largestBelow(n);
  const below = m < k ? rootOfInclusion(m, k, leaf, path.slice(0, -1)) : rootOfInclusion(m - k, n - k, leaf, path.slice(0, -1));
  if (below === null) return null;
  return m < k ? above(below, last) : above(last, below);
}

/** The roots of both trees that a proof of consistency leads to, given the old one; null where it is not as long as it must be. */
export function rootsOfConsistency(m: number, n: number, oldRoot: Hex, path: readonly Hex[]): { old: Hex; new: Hex } | null {
  const walk = (m: number, n: number, isWhole: boolean, path: readonly Hex[]): { old: Hex; new: Hex } | null => {
    if (m === n) {
      const [only, ...more] = path;
      if (isWhole) return path.length === 0 ? { old: oldRoot, new: oldRoot } : null;
      return only === undefined || more.length > 0 ? null : { old: only, new: only };
    }
    const last = path.at(-1);
    if (last === undefined) return null;
    const k = largestBelow(n);
    const below = m <= k ? walk(m, k, isWhole, path.slice(0, -1)) : walk(m - k, n - k, false, path.slice(0, -1));
    if (below === null) return null;
    return m <= k ? { old: below.old, new: above(below.new, last) } : { old: above(last, below.old), new: above(last, below.new) };
  };
  return m < 1 || m > n ? null : walk(m, n, true, path);
}

/** The root over a range of leaves and the perfect subtrees to its left and right; null where there are not as many as there must be. */
export function rootOfRange(
  { first, last, size }: { first: number; last: number; size: number },
  given: { leaves: readonly Hex[]; left: readonly Hex[]; right: readonly Hex[] },
): Hex | null {
  const left = [...given.left];
  const right = [...given.right];
  const walk = (from: number, to: number): Hex | null => {
    const isPerfect = Number.isInteger(Math.log2(to - from));
    if (to <= first && isPerfect) return left.shift() ?? null;
    if (from > last && isPerfect) return right.shift() ?? null;
    if (to - from === 1) return given.leaves[from - first] ?? null;
    const k = largestBelow(to - from);
    const [one, other] = [walk(from, from + k), walk(from + k, to)];
    return one === null || other === null ? null : above(one, other);
  };
  const root = walk(0, size);
  return left.length + right.length > 0 ? null : root;
}
