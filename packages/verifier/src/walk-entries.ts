import { createHash } from "node:crypto";
import { bundlePartName } from "@remit/contract";
import type { BundleManifest } from "@remit/contract";
import { compactRange, csvGap, csvHeader, csvRow, readLedgerKeySet, spanNodes } from "@remit/core";
import type { LedgerKeyChange } from "@remit/core";
import type { BundleFiles } from "./bundle-files.ts";
import type { Signed } from "./checkpoints.ts";
import { sha256, sha256Tree } from "./crypto.ts";
import type { Digests } from "./digests.ts";
import { asEvent, wrongWithEvent } from "./entry-shape.ts";
import { lineBatches } from "./lines.ts";
import { payloadCheck } from "./payload-check.ts";
import type { Committed } from "./payload-check.ts";
import { Refusal } from "./problems.ts";
import type { Problems } from "./problems.ts";
import { rangeWalk } from "./range-walk.ts";
import { parseCanonical } from "./strict-json.ts";
import type { Verdict } from "./verdict.ts";

/** The longest entry: its length has 16 bits (C2SP tlog-tiles). */
const longestEntry = 65_535;
const mostLeaves = 64 * 1024 * 1024;

type WalkOptions = {
  manifest: BundleManifest;
  checkpoints: readonly Signed[];
  digests: Digests;
  problems: Problems;
  verdict: Verdict;
  /** Sizes at which the caller wants to know the root. */
  wanted: ReadonlySet<number>;
};

/** The roots that were asked for, what the entries say about the ledger's keys, and what they are. */
type Walked = {
  roots: ReadonlyMap<number, Uint8Array>;
  changes: readonly LedgerKeyChange[];
  /** How many entries there are of each type. */
  types: ReadonlyMap<string, number>;
};

/** Reads every entry once: its form, its hash, its payloads, its row in the table. */
export async function walkEntries(files: BundleFiles, options: WalkOptions): Promise<Walked> {
  const { manifest, checkpoints, digests, problems, verdict, wanted } = options;
  const { first, last, treeSize } = manifest.population;
  const start = compactRange(
    sha256Tree,
    first,
    manifest.proof.left.map((hash) => Buffer.from(hash, "base64")),
  );
  if (start === null)
    throw new Refusal(
      "tampered",
      `manifest.json: ${manifest.proof.left.length} hashes do not stand for the ${first} entries before the range`,
    );
  const walk = rangeWalk(start, problems);
  const signed = new Map(checkpoints.map((one) => [one.checkpoint.size, one.checkpoint.root]));
  const roots = new Map<number, Uint8Array>();
  const hasPayloads = manifest.payloads !== "none";
  const payloads = payloadCheck(files, digests, problems, verdict.payloads);
  const parts = files.parts("entries");
  for (const kind of ["leaves", "table"] as const) {
    if (files.parts(kind) < parts) throw new Refusal("incomplete", `${bundlePartName(kind, files.parts(kind) + 1)} is missing`);
    if (files.parts(kind) > parts) throw new Refusal("tampered", `${bundlePartName(kind, parts + 1)} belongs to no entries`);
  }
  const changes: LedgerKeyChange[] = [];
  const types = new Map<string, number>();
  let seq = first;
  for (let number = 1; number <= parts; number += 1) {
    const name = bundlePartName("entries", number);
    const leavesName = bundlePartName("leaves", number);
    const leaves = await files.read(leavesName, mostLeaves);
    digests.expect(leavesName, createHash("sha256").update(leaves), "is not the file that was signed: it was changed");
    const table = createHash("sha256").update(number === 1 ? csvHeader : "");
    let line = 0;
    for await (const batch of lineBatches(digests.stream(name), { name, most: longestEntry })) {
      const committed: Committed[] = [];
      let rows = "";
      for (const body of batch) {
        if (seq > last)
          throw new Refusal("tampered", `There are more entries than the ${manifest.population.count} that the bundle says it holds`, seq);
        const listed = leaves.subarray(line * 32, (line + 1) * 32);
        if (listed.length < 32) throw new Refusal("incomplete", `${leavesName} has no hash for this entry`, seq);
        rows += readEntry(body, seq, { origin: manifest.origin, problems, committed: hasPayloads ? committed : null, changes, types });
        walk.add(sha256Tree.leaf(body), listed);
        [seq, line] = [seq + 1, line + 1];
        const root = signed.get(seq);
        if (root !== undefined) walk.check(root, `checkpoint of ${seq} entries`);
        if (wanted.has(seq)) roots.set(seq, walk.root());
      }
      table.update(rows);
      await payloads.take(committed);
    }
    if (leaves.length !== line * 32)
      problems.report("tampered", seq, `${leavesName} has ${leaves.length / 32} hashes for ${line} entries: entries were taken out`);
    digests.expect(bundlePartName("table", number), table, "does not say what the entries say");
  }
  verdict.checked = seq - first;
  if (seq <= last) throw new Refusal("incomplete", `The bundle ends before its last entry: ${last - seq + 1} entries are missing`, seq);
  await payloads.end();
  const nodes = spanNodes({ start: last + 1, end: treeSize });
  if (nodes.length !== manifest.proof.right.length)
    throw new Refusal(
      "tampered",
      `manifest.json: ${manifest.proof.right.length} hashes do not stand for the ${treeSize - last - 1} entries after the range`,
    );
  nodes.forEach(({ level }, index) => walk.addSubtree(level, Buffer.from(manifest.proof.right[index] ?? "", "base64")));
  const root = nodes.length === 0 ? undefined : signed.get(treeSize);
  if (root !== undefined) walk.check(root, `checkpoint of ${treeSize} entries`);
  return { roots, changes, types };
}

/** The row of the table that an entry gives. */
function readEntry(
  body: Buffer,
  seq: number,
  {
    origin,
    problems,
    committed,
    changes,
    types,
  }: { origin: string; problems: Problems; committed: Committed[] | null; changes: LedgerKeyChange[]; types: Map<string, number> },
): string {
  const parsed = parseCanonical(body);
  if ("refused" in parsed) {
    problems.report("tampered", seq, `The entry ${parsed.refused}`);
    return csvGap(seq);
  }
  if (parsed.value === null) {
    problems.report("tampered", seq, "The entry is missing in the ledger that this was exported from: it was removed");
    return csvGap(seq);
  }
  const wrong = wrongWithEvent(parsed.value, origin);
  if (wrong !== null) {
    problems.report("tampered", seq, `The entry ${wrong}`);
    return csvGap(seq);
  }
  const event = asEvent(parsed.value);
  types.set(event.type, (types.get(event.type) ?? 0) + 1);
  const { payloads } = event.data;
  if (payloads !== undefined && committed !== null) {
    for (const [name, commitment] of Object.entries(payloads)) committed.push({ seq, name, commitment });
  }
  if (event.type === "remit.ledger-keys-changed") {
    const keys = readLedgerKeySet(sha256, origin, event.data);
    if (keys === null) problems.report("tampered", seq, "The entry states keys of the ledger that are none");
    else changes.push({ seq, keys });
  }
  return csvRow(seq, event);
}
