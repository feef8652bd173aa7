import type { AnchorSummary } from "@remit/contract";
import { safeLine } from "../terminal/safe-text.ts";

/** The status and what it rests on: who has seen how much, and when. */
export function anchorWords({ words, organisations, quorum, size, at }: AnchorSummary): string {
  if (size === null) {
    return `${safeLine(words)}: nobody outside keeps a checkpoint, so whoever holds both the database and the key could rewrite it unseen`;
  }
  const who = organisations.map(safeLine).join(", ");
  return `${safeLine(words)}: ${who} saw the first ${size} entries${at === null ? "" : ` at ${at}`}; it takes ${quorum}`;
}
