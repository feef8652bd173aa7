import { fromBase64, toBase64 } from "./base64.ts";
import { hashLength } from "./tree-hash.ts";

/** What a ledger commits itself to: how long it is, and its root at that length. */
export type Checkpoint = { origin: string; size: number; root: Uint8Array };

/**
 * The text that is signed.
 * @see https://c2sp.org/tlog-checkpoint
 */
export function checkpointText(checkpoint: Checkpoint): string {
  return `${checkpoint.origin}\n${checkpoint.size}\n${toBase64(checkpoint.root)}\n`;
}

/** Null when the text is not a checkpoint. Extension lines are passed over; none may be empty. */
export function parseCheckpoint(text: string): Checkpoint | null {
  const [origin, size, encoded, ...rest] = text.split("\n");
  if (origin === undefined || origin === "" || size === undefined || encoded === undefined) return null;
  // The only empty one is what follows the last line feed.
  if (rest.length === 0 || rest.indexOf("") !== rest.length - 1) return null;
  const root = fromBase64(encoded);
  const count = Number(size);
  if (!/^(0|[1-9][0-9]*)$/.test(size) || !Number.isSafeInteger(count) || root?.length !== hashLength) return null;
  return { origin, size: count, root };
}
