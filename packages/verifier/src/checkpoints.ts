import { bundleFiles } from "@remit/contract";
import type { BundleManifest } from "@remit/contract";
import { readCheckpoint } from "@remit/core";
import type { CheckpointReading, NoteKey } from "@remit/core";
import type { BundleFiles } from "./bundle-files.ts";
import { noteCrypto } from "./crypto.ts";
import { lineBatches } from "./lines.ts";
import { shown } from "./problems.ts";
import type { Problems } from "./problems.ts";
import { membersOf, textOf } from "./shapes.ts";
import { jsonLine } from "./strict-json.ts";
import type { Trust } from "./trust.ts";

/** A checkpoint that a key of the ledger signed, with the cosignatures of known witnesses. */
export type Signed = Extract<CheckpointReading, { type: "checkpoint" }>;

const longestNote = 512 * 1024;

/** Reads a note with the keys of the ledger alone. */
export function readSigned(note: string, keys: readonly NoteKey[], policy: Trust["policy"] = null): CheckpointReading {
  return readCheckpoint(noteCrypto, note, { ledgerKeys: keys, policy: policy ?? { witnesses: [], witnessedBy: () => [] } });
}

/** In order of their size, each one that the entries will be held against; any other is reported and left out. */
export async function readCheckpoints(
  files: BundleFiles,
  manifest: BundleManifest,
  keys: readonly NoteKey[],
  trust: Trust,
  problems: Problems,
): Promise<Signed[]> {
  const { origin, population } = manifest;
  const name = bundleFiles.checkpoints;
  const read: Signed[] = [];
  for await (const batch of lineBatches(files.stream(name), { name, most: longestNote })) {
    for (const bytes of batch) {
      const note = textOf(membersOf(jsonLine(bytes, name), name, ["note"])["note"], name);
      const reading = readSigned(note, keys, trust.policy);
      const text = shown(note.split("\n").slice(0, 2).join(" "));
      if (reading.type === "refused")
        problems.report("tampered", null, `A checkpoint (${text}) does not hold with the keys that are trusted: ${reading.why}`);
      else if (reading.checkpoint.origin !== origin)
        problems.report(
          "tampered",
          null,
          `A checkpoint is one of ${shown(reading.checkpoint.origin)}, and the bundle is of ${shown(origin)}`,
        );
      else if (reading.checkpoint.size <= (read.at(-1)?.checkpoint.size ?? population.first))
        problems.report("tampered", null, `The checkpoints are not in order at ${reading.checkpoint.size}`);
      // Between the end of the range and the last checkpoint there is no root to hold it against: what it is worth would be lent to another tree.
      else if (reading.checkpoint.size > population.last + 1 && reading.checkpoint.size !== population.treeSize)
        problems.report(
          "tampered",
          null,
          `Nothing joins the checkpoint of ${reading.checkpoint.size} entries to this range: it was put in`,
        );
      else read.push(reading);
    }
  }
  const last = read.at(-1)?.checkpoint;
  if (last?.size !== population.treeSize)
    problems.report("tampered", null, `The checkpoint of ${population.treeSize} entries that should prove the range is not there`);
  else if (Buffer.from(last.root).toString("base64") !== population.root)
    problems.report("tampered", null, "manifest.json names another root than the checkpoint signs");
  if (read[0] !== undefined && read[0].checkpoint.size !== population.firstCheckpoint)
    problems.report("tampered", null, "manifest.json names another first checkpoint than there is");
  return read;
}
