import type { JsonObject } from "../json/json.ts";

/** The form of an exported bundle, and its version: a reader refuses versions that it does not know. docs/bundle.md says what it means. */
export const bundleFormat = "remit-bundle/1";

/** The names of a bundle's files. What comes in parts is numbered from 000001 without a gap. */
export const bundleFiles = {
  manifest: "manifest.json",
  statement: "statement.intoto.json",
  checkpoints: "checkpoints.jsonl",
  keys: "keys.txt",
  oscal: "assessment-results.json",
  readme: "README.txt",
} as const;

/** Kinds of files that come in parts, with their endings. */
export const bundleParts = { entries: "jsonl", leaves: "bin", payloads: "jsonl", table: "csv" } as const;
export type BundlePart = keyof typeof bundleParts;

/** `entries-000001.jsonl`. Numbers begin at 1. */
export function bundlePartName(kind: BundlePart, number: number): string {
  return `${kind}-${String(number).padStart(6, "0")}.${bundleParts[kind]}`;
}

/** How payloads are in a bundle: left out, as ciphertexts, or opened with the salts of their commitments. */
export const payloadForms = ["none", "sealed", "open"] as const;
export type PayloadForm = (typeof payloadForms)[number];

/** What a bundle claims to be: every entry from `first` to `last`, and nothing else. Everything here is checked by the verifier. */
export type BundlePopulation = {
  first: number;
  last: number;
  count: number;
  /** How many entries the checkpoint that proves the range signs, and its root in base64. */
  treeSize: number;
  root: string;
  /** Sizes of the first and the last checkpoint in the bundle; the last one proves the range. */
  firstCheckpoint: number;
  lastCheckpoint: number;
};

/** `manifest.json`: what a bundle claims about itself, of which the verifier believes nothing before it has checked it. */
export type BundleManifest = {
  format: typeof bundleFormat;
  /** The first line of the ledger's checkpoints. */
  origin: string;
  population: BundlePopulation;
  /** What was asked for: sequence numbers or times; null: from the first, to the last. */
  asked: { from: string | null; to: string | null };
  exportedAt: string;
  exportedBy: string;
  payloads: PayloadForm;
  /** Roots of the perfect subtrees before `first` and after `last`, from the left, in base64: with the entries between, they give the root. */
  proof: { left: string[]; right: string[] };
  /** A checkpoint that somebody kept from before, and the proof that the last one continues it. */
  since: { checkpoint: string; consistency: string[] } | null;
};

/**
 * A line of `payloads-*.jsonl`. `erased`: the exporter says that its subject's key is gone. `damaged`: its key does not open it as what
 * was recorded. `missing`: it is not there any more. Salts are in hexadecimal, ciphertexts in base64.
 */
export type BundlePayload = { seq: number; name: string } & (
  | { state: "sealed" | "erased" | "damaged"; ciphertext: string }
  | { state: "open"; salt: string; value: JsonObject }
  | { state: "missing" }
);

/** in-toto's type of attestation, and of ours: https://github.com/in-toto/attestation/tree/main/spec/v1 */
export const statementType = "https://in-toto.io/Statement/v1";
/** The `payloadType` of the DSSE envelope around a statement. */
export const statementPayloadType = "application/vnd.in-toto+json";
/** What our statement says of its subjects: that they are a contiguous range of the ledger (docs/bundle.md). */
export const rangePredicateType = "https://remit.local/predicates/ledger-range/v1";
