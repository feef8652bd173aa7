import { randomUUID } from "node:crypto";
import { bundleFiles, bundlePartName, rangePredicateType, statementPayloadType, statementType } from "@remit/contract";
import type { BundleManifest, Json, PayloadForm } from "@remit/contract";
import { canonicalJson, csvGap, csvHeader, csvRow, dssePreAuthentication } from "@remit/core";
import { createArchive } from "./archive.ts";
import type { Archive } from "./archive.ts";
import type { BundleEntry } from "./bundle-pages.ts";
import { bundleReadme } from "./bundle-readme.ts";
import { oscalResults } from "./oscal-results.ts";

/** What is known before the first entry is read. */
export type BundlePlan = {
  manifest: BundleManifest;
  /** Signed notes, in order; the last one proves the range. */
  checkpoints: string[];
  /** The keys that sign checkpoints, as verifier key strings. */
  keys: string[];
};

/** A key of the ledger that signs what a bundle states, wherever its private half is. */
export type StatementSigner = { name: string; keyId: Uint8Array; sign(text: string): Uint8Array | Promise<Uint8Array> };

/** A part ends when it holds so much. */
const defaultPart = { entries: 20_000, bytes: 8 * 1024 * 1024 };
type PartSize = typeof defaultPart;

/** The pieces of a bundle as a tar archive. Memory is bounded by the size of a part. */
export async function* writeBundle(
  plan: BundlePlan,
  pages: AsyncIterable<BundleEntry[]>,
  signers: readonly StatementSigner[],
  part: PartSize = defaultPart,
): AsyncGenerator<Uint8Array> {
  const { manifest, checkpoints, keys } = plan;
  const archive = createArchive(new Date(manifest.exportedAt));
  const lines = createLines(archive, part);
  const payloads = createPayloads(archive, manifest.payloads, part);
  yield* archive.file(bundleFiles.readme, [text(bundleReadme(manifest))]);
  yield* archive.file(bundleFiles.keys, [text(keys.map((key) => `${key}\n`).join(""))]);
  yield* archive.file(bundleFiles.checkpoints, [text(checkpoints.map((note) => `${canonicalJson({ note })}\n`).join(""))]);
  const tally = { types: new Map<string, number>(), payloads: new Map<string, number>(), gaps: 0 };
  for await (const page of pages) {
    for (const entry of page) {
      count(tally, entry);
      yield* lines.add(entry);
      for (const payload of entry.payloads) yield* payloads.add(payload);
    }
  }
  yield* lines.end();
  yield* payloads.end();
  yield* archive.file(bundleFiles.oscal, [text(`${canonicalJson(oscalResults(manifest, tally, randomUUID))}\n`)]);
  yield* archive.file(bundleFiles.manifest, [text(`${canonicalJson(manifest)}\n`)]);
  yield* archive.file(bundleFiles.statement, [text(`${canonicalJson(await statement(archive, manifest, signers))}\n`)]);
  yield archive.end();
}

function count(tally: { types: Map<string, number>; payloads: Map<string, number>; gaps: number }, { event, payloads }: BundleEntry): void {
  if (event === null) tally.gaps += 1;
  else tally.types.set(event.type, (tally.types.get(event.type) ?? 0) + 1);
  for (const { state } of payloads) tally.payloads.set(state, (tally.payloads.get(state) ?? 0) + 1);
}

/** Entries, their leaf hashes and their table, in parts that belong together. */
function createLines(archive: Archive, part: PartSize) {
  let number = 0;
  let bodies: Uint8Array[] = [];
  let leaves: Uint8Array[] = [];
  /** The header stands in the first part alone: joined, the parts are one table. */
  let table = csvHeader;
  let bytes = 0;

  function* end(): Generator<Uint8Array> {
    if (leaves.length === 0) return;
    number += 1;
    yield* archive.file(bundlePartName("entries", number), bodies);
    yield* archive.file(bundlePartName("leaves", number), [Buffer.concat(leaves)]);
    yield* archive.file(bundlePartName("table", number), [text(table)]);
    [bodies, leaves, table, bytes] = [[], [], "", 0];
  }

  return {
    *add({ seq, body, event, leafHash }: BundleEntry): Generator<Uint8Array> {
      bodies.push(body ?? text("null"), lineEnd);
      leaves.push(leafHash);
      table += event === null ? csvGap(seq) : csvRow(seq, event);
      bytes += (body?.length ?? 0) + 1;
      if (leaves.length >= part.entries || bytes >= part.bytes) yield* end();
    },
    end,
  };
}

function createPayloads(archive: Archive, form: PayloadForm, part: PartSize) {
  let number = 0;
  let lines: Uint8Array[] = [];
  let bytes = 0;

  function* end(): Generator<Uint8Array> {
    if (form === "none" || lines.length === 0) return;
    number += 1;
    yield* archive.file(bundlePartName("payloads", number), lines);
    [lines, bytes] = [[], 0];
  }

  return {
    *add(payload: Json): Generator<Uint8Array> {
      const line = text(`${canonicalJson(payload)}\n`);
      lines.push(line);
      bytes += line.length;
      if (bytes >= part.bytes) yield* end();
    },
    end,
  };
}

/** An in-toto statement about every other file, in a DSSE envelope signed with each of the ledger's keys: while they are replaced, not everybody knows them all. */
async function statement(archive: Archive, manifest: BundleManifest, signers: readonly StatementSigner[]): Promise<Json> {
  const { format, origin, population, exportedAt, exportedBy, payloads } = manifest;
  const kinds = { format, origin, population, exportedAt, exportedBy, payloads };
  const payload = canonicalJson({
    _type: statementType,
    subject: archive.files.map(({ name, sha256 }) => ({ name, digest: { sha256 } })),
    predicateType: rangePredicateType,
    predicate: kinds,
  });
  const text = dssePreAuthentication(statementPayloadType, payload, (value) => Buffer.byteLength(value));
  const signatures: Json[] = [];
  for (const signer of signers) signatures.push({ keyid: keyName(signer), sig: Buffer.from(await signer.sign(text)).toString("base64") });
  return {
    payloadType: statementPayloadType,
    payload: Buffer.from(payload).toString("base64"),
    signatures,
  };
}

function keyName({ name, keyId }: StatementSigner): string {
  return `${name}+${Buffer.from(keyId).toString("hex")}`;
}

const lineEnd = Buffer.from("\n");

function text(value: string): Buffer {
  return Buffer.from(value);
}
