import { consistencySpans, inclusionSpans, spanNodes } from "@remit/core";
import type { Span } from "@remit/core";
import { sha256Tree } from "../ledger/ledger-key.ts";
import type { TreeStore } from "../ledger/tree-store.ts";

/** Proofs from the stored tree. Whether they hold is for whoever has a signed root to say. */
export type TreeProofs = {
  /** @throws RangeError for a leaf that is not in a tree of this size */
  inclusion(index: number, size: number): Promise<Uint8Array[]>;
  /** Empty from the empty tree, which every tree continues. @throws RangeError where `from` is beyond `to` */
  consistency(from: number, to: number): Promise<Uint8Array[]>;
  root(size: number): Promise<Uint8Array>;
};

export function createTreeProofs(tree: Pick<TreeStore, "nodes">): TreeProofs {
  const rootOf = async (span: Span): Promise<Uint8Array> => {
    const nodes = await tree.nodes(spanNodes(span));
    return nodes.reduceRight((right, left) => sha256Tree.node(left, right));
  };
  const all = (spans: Span[]): Promise<Uint8Array[]> => Promise.all(spans.map(rootOf));
  return {
    inclusion: async (index, size) => all(inclusionSpans(index, size)),
    consistency: async (from, to) => (from === 0 ? [] : all(consistencySpans(from, to))),
    root: async (size) => (size === 0 ? sha256Tree.empty : rootOf({ start: 0, end: size })),
  };
}
