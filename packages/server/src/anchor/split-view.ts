import type { Checkpoint } from "@remit/core";
import { equal } from "@remit/core";
import { sha256 } from "../keys/note-crypto.ts";
import type { TreeProofs } from "../ledger/tree-proofs.ts";

/** Whether what somebody else holds, and what this ledger signed, contradicts it as it is now. Null when it does not. */
export async function contradiction(theirs: Checkpoint, ours: { size: number }, proofs: Pick<TreeProofs, "root">): Promise<string | null> {
  if (theirs.size > ours.size) {
    return `it holds ${theirs.size} entries that this ledger signed, and here are ${ours.size}: the end of the ledger was removed, or an older state was put back`;
  }
  if (equal(await proofs.root(theirs.size), theirs.root)) return null;
  return `the first ${theirs.size} entries that it holds are not those that are here: the ledger was rewritten, or shows two faces`;
}

export function digestOf(ours: string, theirs: string): string {
  return sha256(Buffer.from(JSON.stringify([ours, theirs]))).toString("hex");
}
