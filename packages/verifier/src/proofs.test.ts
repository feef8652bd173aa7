import { compactRange, consistencySpans, inclusionSpans, spanNodes, verifyConsistency, verifyInclusion } from "@remit/core";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { sha256Tree } from "./crypto.ts";
import {
  consistencyPath,
  inclusionPath,
  leafHash,
  rootOfInclusion,
  rootOfRange,
  rootsOfConsistency,
  treeHead,
} from "./second-implementation.testing.ts";

const largest = 300;
const leaves = Array.from({ length: largest }, (_, index) => leafHash(Buffer.from(`entry ${index}`).toString("hex")));
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const bytes = (text: string): Uint8Array => Buffer.from(text, "hex");
const head = (from: number, to: number): string => treeHead("test", leaves, from, to);

/** Our tree, grown a leaf at a time: its root at each size. */
const roots: Uint8Array[] = [];
{
  const tree = compactRange(sha256Tree);
  if (tree === null) throw new Error("the empty tree");
  for (const leaf of leaves) {
    roots.push(tree.root());
    tree.append(bytes(leaf));
  }
  roots.push(tree.root());
}

/** Places at which trees of this size are split, and their neighbours. */
function placesIn(size: number): number[] {
  const powers = Array.from({ length: 10 }, (_, power) => 2 ** power);
  const near = powers.flatMap((power) => [power - 1, power, power + 1, size - power, size - power - 1]);
  return [...new Set([0, ...near, Math.floor(size / 2), Math.floor(size / 3)])].filter((place) => place >= 0 && place < size);
}

test("[AUD-14] both implementations compute one root at every size to 300", () => {
  for (let size = 0; size <= largest; size += 1) expect(hex(roots[size] ?? sha256Tree.empty), String(size)).toBe(head(0, size));
});

test("[AUD-14] both make and accept the same proofs of inclusion in every tree to 300", () => {
  for (let size = 1; size <= largest; size += 1) {
    const places = size <= 64 ? Array.from({ length: size }, (_, index) => index) : placesIn(size);
    for (const index of places) {
      const path = inclusionPath("test", leaves, index, 0, size);
      expect(inclusionSpans(index, size).map(({ start, end }) => head(start, end))).toEqual(path);
      const claim = { index, size, leaf: bytes(leaves[index] ?? ""), root: roots[size] ?? sha256Tree.empty };
      expect(verifyInclusion(sha256Tree, claim, path.map(bytes))).toBe(true);
      expect(rootOfInclusion(index, size, leaves[index] ?? "", path)).toBe(hex(claim.root));
    }
  }
});

test("[AUD-14] both make and accept the same proofs of consistency between all trees to 300", () => {
  for (let size = 1; size <= largest; size += 1) {
    const places = size <= 64 ? Array.from({ length: size }, (_, index) => index + 1) : placesIn(size).map((place) => place + 1);
    for (const oldSize of places) {
      const path = consistencyPath("test", leaves, oldSize, size);
      expect(consistencySpans(oldSize, size).map(({ start, end }) => head(start, end))).toEqual(path);
      const claim = { oldSize, oldRoot: roots[oldSize] ?? sha256Tree.empty, size, root: roots[size] ?? sha256Tree.empty };
      expect(verifyConsistency(sha256Tree, claim, path.map(bytes))).toBe(true);
      expect(rootsOfConsistency(oldSize, size, hex(claim.oldRoot), path)).toEqual({ old: hex(claim.oldRoot), new: hex(claim.root) });
    }
  }
});

test("[AUD-14] both compute the root over every range of every tree to 24, and over ranges of larger ones", () => {
  const check = (first: number, last: number, size: number) => {
    const nodes = (start: number, end: number) =>
      spanNodes({ start, end }).map(({ level, index }) => head(index * 2 ** level, (index + 1) * 2 ** level));
    const given = { leaves: leaves.slice(first, last + 1), left: nodes(0, first), right: nodes(last + 1, size) };
    const range = compactRange(sha256Tree, first, given.left.map(bytes));
    for (const leaf of given.leaves) range?.append(bytes(leaf));
    spanNodes({ start: last + 1, end: size }).forEach(({ level }, index) => range?.appendSubtree(level, bytes(given.right[index] ?? "")));
    expect(range?.size).toBe(size);
    expect(hex(range?.root() ?? sha256Tree.empty)).toBe(head(0, size));
    expect(rootOfRange({ first, last, size }, given)).toBe(head(0, size));
  };
  for (let size = 1; size <= 24; size += 1) {
    for (let first = 0; first < size; first += 1) for (let last = first; last < size; last += 1) check(first, last, size);
  }
  fc.assert(
    fc.property(fc.integer({ min: 1, max: largest }), fc.nat(), fc.nat(), (size, one, other) => {
      const [first = 0, last = 0] = [one % size, other % size].sort((left, right) => left - right);
      check(first, last, size);
    }),
  );
});

/** What somebody may do to a proof. */
const mutation = fc.oneof(
  fc.record({ type: fc.constant("flip" as const), at: fc.nat(), bit: fc.nat({ max: 255 }) }),
  fc.record({ type: fc.constant("drop" as const), at: fc.nat() }),
  fc.record({ type: fc.constant("repeat" as const), at: fc.nat() }),
  fc.record({ type: fc.constant("swap" as const), at: fc.nat(), with: fc.nat() }),
  fc.record({ type: fc.constant("add" as const), at: fc.nat(), leaf: fc.nat({ max: largest - 1 }) }),
  fc.record({ type: fc.constant("reverse" as const) }),
  fc.record({ type: fc.constant("none" as const) }),
);

function mutated(path: readonly string[], change: typeof mutation extends fc.Arbitrary<infer Change> ? Change : never): string[] {
  const at = (place: number) => (path.length === 0 ? 0 : place % path.length);
  switch (change.type) {
    case "flip": {
      const hash = Buffer.from(path[at(change.at)] ?? "", "hex");
      const byte = change.bit >> 3;
      if (hash.length > 0) hash[byte] = (hash[byte] ?? 0) ^ (1 << (change.bit & 7));
      return path.length === 0 ? [] : path.with(at(change.at), hash.toString("hex"));
    }
    case "drop":
      return path.toSpliced(at(change.at), 1);
    case "repeat":
      return path.length === 0 ? [] : path.toSpliced(at(change.at), 0, path[at(change.at)] ?? "");
    case "swap":
      return path.length === 0
        ? []
        : path.with(at(change.at), path[at(change.with)] ?? "").with(at(change.with), path[at(change.at)] ?? "");
    case "add":
      return path.toSpliced(at(change.at), 0, leaves[change.leaf] ?? "");
    case "reverse":
      return path.toReversed();
    default:
      return [...path];
  }
}

const runs = { numRuns: 2_000 };
const size = fc.integer({ min: 1, max: largest });

test("[AUD-14] they agree on proofs of inclusion that were changed, and accept no changed one for the same claim", () => {
  fc.assert(
    fc.property(
      size,
      fc.nat(),
      mutation,
      fc.integer({ min: -3, max: 3 }),
      fc.integer({ min: -3, max: 3 }),
      (size, place, change, indexBy, sizeBy) => {
        const index = place % size;
        const honest = inclusionPath("test", leaves, index, 0, size);
        const path = mutated(honest, change);
        const root = head(0, size);
        const ours = (index: number, size: number) =>
          verifyInclusion(sha256Tree, { index, size, leaf: bytes(leaves[place % largest] ?? ""), root: bytes(root) }, path.map(bytes));
        const theirs = (index: number, size: number) =>
          index >= 0 && rootOfInclusion(index, size, leaves[place % largest] ?? "", path) === root;
        expect(ours(index + indexBy, size + sizeBy)).toBe(theirs(index + indexBy, size + sizeBy));
        const isSame = path.join() === honest.join();
        const claim = { index, size, leaf: bytes(leaves[index] ?? ""), root: bytes(root) };
        expect(verifyInclusion(sha256Tree, claim, path.map(bytes))).toBe(isSame);
      },
    ),
    runs,
  );
});

test("[AUD-14] they agree on proofs of consistency that were changed, and accept no changed one for the same claim", () => {
  fc.assert(
    fc.property(
      size,
      fc.nat(),
      mutation,
      fc.integer({ min: -3, max: 3 }),
      fc.integer({ min: -3, max: 3 }),
      (size, place, change, oldBy, sizeBy) => {
        const oldSize = 1 + (place % size);
        const honest = consistencyPath("test", leaves, oldSize, size);
        const path = mutated(honest, change);
        const [oldRoot, root] = [head(0, oldSize), head(0, size)];
        const ours = (oldSize: number, size: number) =>
          verifyConsistency(sha256Tree, { oldSize, oldRoot: bytes(oldRoot), size, root: bytes(root) }, path.map(bytes));
        const theirs = (oldSize: number, size: number) => {
          const found = rootsOfConsistency(oldSize, size, oldRoot, path);
          return found !== null && found.old === oldRoot && found.new === root;
        };
        if (oldSize + oldBy >= 1) expect(ours(oldSize + oldBy, size + sizeBy)).toBe(theirs(oldSize + oldBy, size + sizeBy));
        expect(ours(oldSize, size)).toBe(path.join() === honest.join());
      },
    ),
    runs,
  );
});
