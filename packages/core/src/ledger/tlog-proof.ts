import { fromBase64, toBase64 } from "./base64.ts";
import { parseCheckpoint } from "./checkpoint.ts";
import { maxNoteLength, parseNote } from "./note.ts";
import { verifyInclusion } from "./proof.ts";
import type { TreeHash } from "./tree-hash.ts";
import { hashLength } from "./tree-hash.ts";

/** A proof that an entry is in a ledger, as a file of its own (https://c2sp.org/tlog-proof). `extra` is signed by nobody. */
export type TlogProof = { extra: Uint8Array | null; index: number; proof: readonly Uint8Array[]; checkpoint: string };

const header = "c2sp.org/tlog-proof@v1";
/** Enough for an entry of 64 KiB as extra data and a note of the largest kind. */
const maxLength = 128 * 1024 + maxNoteLength;

export function formatTlogProof({ extra, index, proof, checkpoint }: TlogProof): string {
  const head = [header, ...(extra === null ? [] : [`extra ${toBase64(extra)}`]), `index ${index}`, ...proof.map(toBase64)];
  return `${head.join("\n")}\n\n${checkpoint}`;
}

/** Null for what is no such file. Says nothing about whether the proof holds. */
export function parseTlogProof(text: string): TlogProof | null {
  const end = text.indexOf("\n\n");
  if (text.length > maxLength || end < 0) return null;
  const [first, ...lines] = text.slice(0, end).split("\n");
  if (first !== header) return null;
  const given = lines[0]?.startsWith("extra ") === true ? (lines.shift() ?? "").slice("extra ".length) : null;
  const extra = given === null ? null : fromBase64(given);
  const index = readSize(/^index (0|[1-9][0-9]*)$/.exec(lines.shift() ?? "")?.[1]);
  const proof = readHashes(lines);
  const checkpoint = text.slice(end + 2);
  if ((given !== null && extra === null) || index === null || proof === null || parseNote(checkpoint) === null) return null;
  return { extra, index, proof, checkpoint };
}

/** Whether the proof leads from the entry's bytes to the root in its checkpoint. Who signed that is for `readCheckpoint` to say. */
export function holdsTlogProof(hash: TreeHash, { index, proof, checkpoint }: TlogProof, entry: Uint8Array): boolean {
  const signed = parseCheckpoint(parseNote(checkpoint)?.text ?? "");
  return signed !== null && verifyInclusion(hash, { index, size: signed.size, leaf: hash.leaf(entry), root: signed.root }, proof);
}

/** The hashes of a proof, one a line. Null when one of them is none, or when there are more than any tree has levels. */
export function readHashes(lines: readonly string[]): Uint8Array[] | null {
  const hashes = lines.map((line) => fromBase64(line)).filter((hash) => hash?.length === hashLength);
  return hashes.length === lines.length && hashes.length <= maxProofLength ? (hashes as Uint8Array[]) : null;
}

export const maxProofLength = 63;

/** A decimal number without a sign or a leading zero. */
export function readSize(text: string | undefined): number | null {
  if (text === undefined || !/^(0|[1-9][0-9]*)$/.test(text)) return null;
  return Number.isSafeInteger(Number(text)) ? Number(text) : null;
}
