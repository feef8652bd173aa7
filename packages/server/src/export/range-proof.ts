import { spanNodes } from "@remit/core";
import { createTreeProofs } from "../ledger/tree-proofs.ts";
import type { TreeStore } from "../ledger/tree-store.ts";

/** The roots of the perfect subtrees before and after a range: with its leaves between them, they give the root of the tree. */
export async function rangeProof(
  tree: TreeStore,
  { first, last, size }: { first: number; last: number; size: number },
): Promise<{ left: string[]; right: string[] }> {
  const [left, right] = await Promise.all([
    tree.nodes(spanNodes({ start: 0, end: first })),
    tree.nodes(spanNodes({ start: last + 1, end: size })),
  ]);
  return { left: left.map(base64), right: right.map(base64) };
}

/** Proof that the tree of `size` entries begins with the tree of `oldSize` (RFC 6962). */
export async function consistencyProof(tree: TreeStore, oldSize: number, size: number): Promise<string[]> {
  return (await createTreeProofs(tree).consistency(oldSize, size)).map(base64);
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}
