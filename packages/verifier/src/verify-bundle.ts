import { bundleFiles } from "@remit/contract";
import { parseNoteKey } from "@remit/core";
import type { NoteKey } from "@remit/core";
import { anchor, checkSince, sizeOf } from "./anchor.ts";
import type { BundleFiles } from "./bundle-files.ts";
import { checkAssessment } from "./assessment-check.ts";
import { openBundle } from "./bundle-files.ts";
import { readCheckpoints } from "./checkpoints.ts";
import { checkKeys } from "./check-keys.ts";
import { sha256 } from "./crypto.ts";
import { digestCheck } from "./digests.ts";
import type { Digests } from "./digests.ts";
import { collectProblems, Refusal, shown } from "./problems.ts";
import type { Problems } from "./problems.ts";
import { manifestOf } from "./shapes.ts";
import { checkStatement } from "./statement.ts";
import { jsonFile } from "./strict-json.ts";
import type { Trust } from "./trust.ts";
import { exitCodes } from "./verdict.ts";
import type { Outcome, Verdict } from "./verdict.ts";
import { walkEntries } from "./walk-entries.ts";

const mebibyte = 1024 * 1024;

/** Checks everything in a bundle against everything else in it, and against what the caller knows. Memory does not grow with the number of entries. */
export async function verifyBundle(path: string, trust: Trust): Promise<Verdict> {
  const problems = collectProblems();
  const verdict: Verdict = {
    verdict: "ok",
    exit: 0,
    firstWrong: null,
    problems: [],
    problemCount: 0,
    origin: null,
    population: null,
    exportedAt: null,
    exportedBy: null,
    checked: 0,
    key: { trusted: trust.keys.length > 0, signedBy: [] },
    anchoring: { status: "UNANCHORED", organisations: [], kept: [] },
    payloads: { form: null, committed: 0, sealed: 0, open: 0, erased: 0 },
    warnings: [],
  };
  try {
    await verifyInto(verdict, path, trust, problems);
  } catch (error) {
    if (error instanceof Refusal) problems.report(error.kind, error.seq, error.message);
    // A process that dies ends with 1, which would say that somebody tampered.
    else
      problems.report(
        "incomplete",
        null,
        `The verifier could not read on: ${shown(error instanceof Error ? error.message : String(error))}`,
      );
  }
  const found = problems.sorted();
  const outcome = outcomeOf(verdict, problems, trust);
  return {
    ...verdict,
    verdict: outcome,
    exit: exitCodes[outcome],
    firstWrong: found[0] ?? null,
    problems: found,
    problemCount: problems.count(),
  };
}

function outcomeOf(verdict: Verdict, problems: Problems, trust: Trust): Outcome {
  if (problems.has("tampered")) return "tampered";
  if (problems.has("incomplete") || !verdict.key.trusted) return "incomplete";
  return verdict.anchoring.status === "UNANCHORED" && !trust.allowUnanchored ? "unanchored" : "ok";
}

async function verifyInto(verdict: Verdict, path: string, trust: Trust, problems: Problems): Promise<void> {
  const files = await openBundle(path);
  const manifestBytes = await files.read(bundleFiles.manifest, mebibyte);
  const manifest = manifestOf(jsonFile(manifestBytes, bundleFiles.manifest));
  const { origin, population } = manifest;
  Object.assign(verdict, { origin, population, exportedAt: manifest.exportedAt, exportedBy: manifest.exportedBy });
  verdict.payloads.form = manifest.payloads;
  const keys = trust.keys.length > 0 ? trust.keys : await bundleKeys(files);
  const checkpoints = await readCheckpoints(files, manifest, keys, trust, problems);
  const statement = await checkStatement(files, manifest, keys, problems);
  const digests = digestCheck(files, statement.digests, problems);
  await checkOtherFiles(files, digests);
  const { roots, changes, types } = await walkEntries(files, {
    manifest,
    checkpoints,
    digests,
    problems,
    verdict,
    wanted: new Set(trust.kept.flatMap((note) => sizeOf(note, keys))),
  });
  await checkAssessment(files, { population, types }, problems);
  const stated = { size: population.treeSize, signedBy: statement.signedBy };
  checkKeys({ checkpoints, statement: stated, changes, end: population.last + 1, trust, problems });
  const last = checkpoints.at(-1);
  if (last === undefined) return;
  verdict.key.signedBy = last.signedBy.map(({ name, keyId }) => `${name}+${Buffer.from(keyId).toString("hex")}`);
  checkSince(manifest, last, keys, problems);
  anchor(verdict, { manifest, checkpoints, roots, keys, trust, problems });
}

async function bundleKeys(files: BundleFiles): Promise<NoteKey[]> {
  const lines = (await files.read(bundleFiles.keys, mebibyte))
    .toString()
    .split("\n")
    .filter((line) => line !== "");
  return lines.flatMap((line) => parseNoteKey(sha256, line) ?? []);
}

/** Entries, leaves and payloads are hashed while they are walked. */
async function checkOtherFiles(files: BundleFiles, digests: Digests): Promise<void> {
  for (const name of files.names) {
    if (name === bundleFiles.statement || /^(?:entries|leaves|payloads)-/.test(name)) continue;
    // Read for its digest alone.
    for await (const piece of digests.stream(name)) void piece;
  }
}
