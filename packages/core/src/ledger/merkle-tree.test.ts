import { createHash } from "node:crypto";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { merkleTree } from "./merkle-tree.ts";
import { consistencySpans, inclusionSpans, spanRoot, verifyConsistency, verifyInclusion } from "./proof.ts";
import type { Tile, TreeNode } from "./tile.ts";
import { splitHashes, tileOf, tilePath } from "./tile.ts";
import { treeHash } from "./tree-hash.ts";

const hash = treeHash((bytes) => createHash("sha256").update(bytes).digest());
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** RFC 6962, 2.1, word for word: slow, and independent of what is tested. */
function reference(leaves: readonly Uint8Array[]): Uint8Array {
  const [only] = leaves;
  if (only === undefined) return hash.empty;
  if (leaves.length === 1) return only;
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return hash.node(reference(leaves.slice(0, k)), reference(leaves.slice(k)));
}

const leavesOf = (count: number): Uint8Array[] => Array.from({ length: count }, (_, index) => hash.leaf(Buffer.from(`leaf ${index}`)));

function grown(leaves: readonly Uint8Array[]) {
  const tree = merkleTree(hash);
  for (const leaf of leaves) tree.append(leaf);
  return tree;
}

const readFrom =
  (leaves: readonly Uint8Array[]) =>
  ({ level, index }: TreeNode): Uint8Array =>
    reference(leaves.slice(index * 2 ** level, (index + 1) * 2 ** level));

describe("Merkle tree", () => {
  const vectors = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
  const roots = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
  ];
  test.each(roots.map((root, size) => ({ root, size })))(
    "[AUD-14] the root of $size Certificate Transparency reference leaves",
    ({ root, size }) => {
      expect(hex(grown(vectors.slice(0, size).map((leaf) => hash.leaf(Buffer.from(leaf, "hex")))).root())).toBe(root);
    },
  );

  test("a tree that is resumed from its edge, and one that was forked, grow like one that never stopped", () => {
    const leaves = leavesOf(700);
    const tiles: Tile[] = [];
    let tree = merkleTree(hash);
    leaves.forEach((leaf, index) => {
      const abandoned = tree.fork();
      abandoned.append(hash.leaf(Buffer.from("lost")));
      tree.append(leaf);
      tiles.push(...tree.takeTiles());
      if (index % 97 !== 0) return;
      const size = index + 1;
      const edge = [leaves.slice(size - (size % 256), size), tiles.filter((tile) => tile.level === 0).map((tile) => tile.root)];
      tree = merkleTree(hash, edge);
      expect(tree.size).toBe(size);
    });
    expect(hex(tree.root())).toBe(hex(reference(leaves)));
    expect(tiles.map(({ level, index }) => [level, index])).toEqual([
      [0, 0],
      [0, 1],
    ]);
    tiles.forEach((tile, index) => {
      expect(splitHashes(tile.hashes).map(hex)).toEqual(leaves.slice(index * 256, index * 256 + 256).map(hex));
      expect(hex(tile.root)).toBe(hex(reference(leaves.slice(index * 256, index * 256 + 256))));
    });
  });

  test("a tile of the second level is cut at 65,536 leaves", () => {
    const leaf = hash.leaf(Buffer.from("same"));
    const tree = merkleTree(hash);
    for (let count = 0; count < 65_536; count += 1) tree.append(leaf);
    const tiles = tree.takeTiles();
    expect(tiles.filter((tile) => tile.level === 0)).toHaveLength(256);
    expect(tiles.at(-1)).toMatchObject({ level: 1, index: 0 });
    expect(hex(tiles.at(-1)?.root ?? hash.empty)).toBe(hex(tree.root()));
    expect(tileOf({ level: 8, index: 3 })).toEqual({ level: 1, index: 0, first: 3, count: 1 });
    expect(tileOf({ level: 3, index: 33 })).toEqual({ level: 0, index: 1, first: 8, count: 8 });
  });

  test("tiles have the paths of C2SP tlog-tiles", () => {
    expect(tilePath({ level: 0, index: 1234067 })).toBe("tile/0/x001/x234/067");
    expect(tilePath({ level: 1, index: 0 }, 112)).toBe("tile/1/000.p/112");
  });
});

describe("proofs", () => {
  const all = leavesOf(130);
  const prove = (spans: { start: number; end: number }[], leaves: readonly Uint8Array[]): Uint8Array[] =>
    spans.map((span) => spanRoot(hash, span, readFrom(leaves)));
  const rootAt = Array.from({ length: 131 }, (_, size) => reference(all.slice(0, size)));
  const root = (size: number): Uint8Array => rootAt[size] ?? hash.empty;

  test("[AUD-14] every leaf of every tree up to 130 leaves is proved, and at no other place", () => {
    for (let size = 1; size <= 130; size += 1) {
      for (let index = 0; index < size; index += 1) {
        const leaf = all[index] ?? hash.empty;
        const proof = prove(inclusionSpans(index, size), all);
        const claim = { index, size, leaf, root: root(size) };
        if (!verifyInclusion(hash, claim, proof)) throw new Error(`leaf ${index} of ${size} is not proved`);
        if (verifyInclusion(hash, { ...claim, index: (index + 1) % size }, proof) && size > 1)
          throw new Error(`leaf ${index} of ${size} moved`);
      }
    }
  });

  test("[AUD-14] every tree up to 130 leaves is proved to begin with every smaller one", () => {
    for (let size = 1; size <= 130; size += 1) {
      for (let oldSize = 1; oldSize <= size; oldSize += 1) {
        const proof = prove(consistencySpans(oldSize, size), all);
        const claim = { oldSize, oldRoot: root(oldSize), size, root: root(size) };
        if (!verifyConsistency(hash, claim, proof)) throw new Error(`${oldSize} in ${size} is not proved`);
      }
    }
  });

  const place = fc.integer({ min: 2, max: 130 }).chain((size) => fc.record({ size: fc.constant(size), index: fc.nat(size - 1) }));

  test("[AUD-14] no mutated proof is accepted", () => {
    fc.assert(
      fc.property(
        place,
        fc.nat(),
        fc.nat(255),
        fc.constantFrom("flip", "drop", "repeat", "append", "swap", "shorten"),
        (at, pick, bit, how) => {
          const inclusion = prove(inclusionSpans(at.index, at.size), all);
          const consistency = prove(consistencySpans(at.index + 1, at.size), all);
          const claim = { index: at.index, size: at.size, leaf: all[at.index] ?? hash.empty, root: root(at.size) };
          const link = { oldSize: at.index + 1, oldRoot: root(at.index + 1), size: at.size, root: root(at.size) };
          for (const [proof, accepts] of [
            [inclusion, (mutated: Uint8Array[]) => verifyInclusion(hash, claim, mutated)],
            [consistency, (mutated: Uint8Array[]) => verifyConsistency(hash, link, mutated)],
          ] as const) {
            const mutated = mutate(proof, how, pick, bit);
            if (mutated !== null) expect(accepts(mutated)).toBe(false);
          }
        },
      ),
      { numRuns: 3000 },
    );
  });

  test("[AUD-14] no proof serves a changed claim", () => {
    fc.assert(
      fc.property(place, fc.nat(255), (at, bit) => {
        const proof = prove(inclusionSpans(at.index, at.size), all);
        const claim = { index: at.index, size: at.size, leaf: all[at.index] ?? hash.empty, root: root(at.size) };
        expect(verifyInclusion(hash, { ...claim, leaf: flip(claim.leaf, bit) }, proof)).toBe(false);
        expect(verifyInclusion(hash, { ...claim, root: flip(claim.root, bit) }, proof)).toBe(false);
        expect(verifyInclusion(hash, { ...claim, index: at.size }, proof)).toBe(false);
        expect(verifyInclusion(hash, { ...claim, index: -1 }, proof)).toBe(false);
        const link = { oldSize: at.index + 1, oldRoot: root(at.index + 1), size: at.size, root: root(at.size) };
        const consistency = prove(consistencySpans(at.index + 1, at.size), all);
        expect(verifyConsistency(hash, { ...link, oldRoot: flip(link.oldRoot, bit) }, consistency)).toBe(false);
        expect(verifyConsistency(hash, { ...link, root: flip(link.root, bit) }, consistency)).toBe(false);
        expect(verifyConsistency(hash, { ...link, oldSize: link.size + 1 }, consistency)).toBe(false);
      }),
    );
  });

  test("arithmetic holds beyond 2^31 leaves", () => {
    const size = 2 ** 40 + 12_345;
    for (const span of [...inclusionSpans(2 ** 35 + 7, size), ...consistencySpans(2 ** 39 + 1, size)]) {
      expect(span.end).toBeGreaterThan(span.start);
    }
    expect(inclusionSpans(2 ** 40, size)).toHaveLength(15);
  });
});

function flip(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return copy;
}

function mutate(proof: Uint8Array[], how: string, pick: number, bit: number): Uint8Array[] | null {
  if (how === "append") return [...proof, hash.empty];
  if (proof.length === 0) return null;
  const at = pick % proof.length;
  const chosen = proof[at] ?? hash.empty;
  switch (how) {
    case "flip":
      return proof.with(at, flip(chosen, bit));
    case "drop":
      return proof.toSpliced(at, 1);
    case "repeat":
      return proof.toSpliced(at, 0, chosen);
    case "shorten":
      return proof.with(at, chosen.subarray(0, 31));
    default:
      return proof.length < 2 ? null : [...proof.slice(1), proof[0] ?? chosen];
  }
}
