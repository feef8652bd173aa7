import { toBase64 } from "./base64.ts";
import { maxNoteLength } from "./note.ts";
import { readHashes, readSize } from "./tlog-proof.ts";

/** What a ledger sends to a witness: a checkpoint, and the proof that it continues the one of `oldSize` entries (https://c2sp.org/tlog-witness). */
export type AddCheckpoint = { oldSize: number; proof: readonly Uint8Array[]; checkpoint: string };

export const maxAddCheckpointLength = 8 * 1024 + maxNoteLength;

export function formatAddCheckpoint({ oldSize, proof, checkpoint }: AddCheckpoint): string {
  return `old ${oldSize}\n${proof.map((hash) => `${toBase64(hash)}\n`).join("")}\n${checkpoint}`;
}

/** Null for what is no such request. */
export function parseAddCheckpoint(body: string): AddCheckpoint | null {
  const end = body.indexOf("\n\n");
  if (body.length > maxAddCheckpointLength || end < 0) return null;
  const [first = "", ...lines] = body.slice(0, end).split("\n");
  const oldSize = first.startsWith("old ") ? readSize(first.slice("old ".length)) : null;
  const proof = readHashes(lines);
  return oldSize === null || proof === null ? null : { oldSize, proof, checkpoint: body.slice(end + 2) };
}
