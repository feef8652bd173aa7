import { consistencySpans, inclusionSpans, spanNodes } from "@remit/core";
import type { Span } from "@remit/core";
import { sha256Tree } from "./ledger-key.ts";
import type { TreeStore } from "./tree-store.ts";

/** Proofs from the stored tree. Whether they hold is for whoever has a signed root to say. */
export type TreeProofs = {
  /** @throws RangeError for a leaf that is not in a tree of this size */
  inclusion(index: number, size: number): Promise<Uint8Array[]>;
  /** Empty from the empty tree, which every tree continues. @throws RangeError where `from` is beyond `to` */
  consistency(from: number, to: number): Promise<Uint8Array[]>;
  root(size: number): Promise<Uint8Array>;
};

export function createTreeProofs(tree: Pick<TreeStore, "nodes">): TreeProofs {
  // All that a proof takes is asked for at once: one proof is a hundred hashes, and one question.
  const roots = async (spans: readonly Span[]): Promise<Uint8Array[]> => {
    const nodes = spans.map(spanNodes);
    const hashes = await tree.nodes(nodes.flat());
    let next = 0;
    return nodes.map(({ length }) => hashes.slice(next, (next += length)).reduceRight((right, left) => sha256Tree.node(left, right)));
  };
  return {
    inclusion: async (index, size) => roots(inclusionSpans(index, size)),
    consistency: async (from, to) => (from === 0 ? [] : roots(consistencySpans(from, to))),
    async root(size) {
      const [root = sha256Tree.empty] = size === 0 ? [] : await roots([{ start: 0, end: size }]);
      return root;
    },
  };
}
