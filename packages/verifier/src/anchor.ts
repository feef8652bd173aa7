import type { BundleManifest } from "@remit/contract";
import { equal, verifyConsistency } from "@remit/core";
import type { NoteKey } from "@remit/core";
import { readSigned } from "./checkpoints.ts";
import type { Signed } from "./checkpoints.ts";
import { sha256Tree } from "./crypto.ts";
import type { Problems } from "./problems.ts";
import { bytesOf } from "./shapes.ts";
import type { Trust } from "./trust.ts";
import type { Verdict } from "./verdict.ts";

/** The size that a kept checkpoint signs, if one of these keys signed it. */
export function sizeOf(note: string, keys: readonly NoteKey[]): number[] {
  const reading = readSigned(note, keys);
  return reading.type === "checkpoint" ? [reading.checkpoint.size] : [];
}

/** Whether the ledger continues the checkpoint that was given when it was exported. */
export function checkSince({ since }: BundleManifest, last: Signed, keys: readonly NoteKey[], problems: Problems): void {
  if (since === null) return;
  const old = readSigned(since.checkpoint, keys);
  if (old.type === "refused") {
    problems.report("tampered", null, `The earlier checkpoint in manifest.json does not hold: ${old.why}`);
    return;
  }
  const { size: oldSize, root: oldRoot } = old.checkpoint;
  const { size, root } = last.checkpoint;
  const proof = since.consistency.map((hash) => bytesOf(hash, "manifest.json: since.consistency", 32));
  if (!verifyConsistency(sha256Tree, { oldSize, oldRoot, size, root }, proof)) {
    problems.report(
      "tampered",
      null,
      `The ledger does not continue the checkpoint of ${oldSize} entries: what it held then was rewritten, or the proof was changed`,
    );
  }
}

type AnchorOptions = {
  manifest: BundleManifest;
  checkpoints: readonly Signed[];
  roots: ReadonlyMap<number, Uint8Array>;
  keys: readonly NoteKey[];
  trust: Trust;
  problems: Problems;
};

/** Who, besides the ledger itself, has seen the whole range. */
export function anchor(verdict: Verdict, options: AnchorOptions): void {
  const { manifest, checkpoints, roots, keys, trust, problems } = options;
  const { first, last, treeSize } = manifest.population;
  const quorum = Math.max(1, trust.policy?.quorum ?? 1);
  const witnessed = checkpoints.filter(({ organisations }) => organisations.length >= quorum);
  const covering = witnessed.find(({ checkpoint }) => checkpoint.size > last);
  if (covering !== undefined) verdict.anchoring = { ...verdict.anchoring, status: "WITNESSED", organisations: covering.organisations };
  else if (witnessed.length > 0)
    verdict.warnings.push(`Witnesses have signed entries up to ${(witnessed.at(-1)?.checkpoint.size ?? 0) - 1}, and nothing after that`);
  for (const note of trust.kept) {
    const reading = readSigned(note, keys, trust.policy);
    if (reading.type === "refused") {
      problems.report("incomplete", null, `The checkpoint that you kept does not hold with the keys that are trusted: ${reading.why}`);
      continue;
    }
    const { size, root } = reading.checkpoint;
    const signed = checkpoints.find(({ checkpoint }) => checkpoint.size === size)?.checkpoint.root ?? roots.get(size);
    const sinceText = manifest.since === null ? null : sameTree(manifest.since.checkpoint, size, root, keys);
    if (signed !== undefined) {
      if (!equal(signed, root))
        problems.report(
          "tampered",
          size - 1 >= first && size - 1 <= last ? Math.max(first, 0) : null,
          `At ${size} entries this ledger has another root than the checkpoint that you kept: it was rewritten, or it showed two faces`,
        );
      else keep(size);
    } else if (sinceText === true) keep(size);
    else if (size > treeSize) {
      const seen = Math.max(0, ...reading.cosignatures.map(({ timestamp }) => timestamp * 1000));
      const later = seen > 0 && Date.parse(manifest.exportedAt) > seen;
      problems.report(
        later ? "tampered" : "incomplete",
        null,
        `The checkpoint that you kept signs ${size} entries, and this bundle knows of ${treeSize}: ${later ? "the ledger was rolled back" : "it is older, or the ledger was rolled back"}`,
      );
    } else
      problems.report(
        "incomplete",
        null,
        `Nothing in the bundle joins it to the checkpoint of ${size} entries that you kept: export it with --since <that checkpoint>`,
      );
  }

  function keep(size: number): void {
    verdict.anchoring.kept.push(size);
    if (size > last && verdict.anchoring.status === "UNANCHORED") verdict.anchoring = { ...verdict.anchoring, status: "KEPT" };
  }
}

function sameTree(note: string, size: number, root: Uint8Array, keys: readonly NoteKey[]): boolean {
  const reading = readSigned(note, keys);
  return reading.type === "checkpoint" && reading.checkpoint.size === size && equal(reading.checkpoint.root, root);
}
