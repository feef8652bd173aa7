/**
 * Writes a bundle of so many synthetic entries without a database, and the key that verifies it.
 * `node bench/ledger-bundle.ts <count> <archive.tar>`: the key goes to <archive.tar>.key.
 */
import { createHash, generateKeyPairSync, hash, sign } from "node:crypto";
import { createWriteStream } from "node:fs";
import { writeFile } from "node:fs/promises";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { bundleFormat } from "@remit/contract";
import type { BundleManifest, LedgerEvent } from "@remit/contract";
import { canonicalJson, checkpointText, formatNoteKey, merkleTree, noteKey, signNote, treeHash } from "@remit/core";
import { writeBundle } from "@remit/server/testing";
import type { BundleEntry } from "@remit/server/testing";

const origin = "bench.example/ledger";
const sha256 = (bytes: Uint8Array): Uint8Array => hash("sha256", bytes, "buffer");
const tree = treeHash(sha256);
const checkpointEvery = 1_000;
const pageSize = 1_000;

const { publicKey, privateKey } = generateKeyPairSync("ed25519");
const key = noteKey(sha256, origin, "ed25519", publicKey.export({ type: "spki", format: "der" }).subarray(-32));
const signer = { ...key, sign: (text: string) => sign(null, Buffer.from(text), privateKey) };

/** About as long as the outcome of a call is, with the commitments of two payloads. */
function eventAt(seq: number): LedgerEvent {
  const id = createHash("md5").update(String(seq)).digest("hex");
  const digest = `${id}${id}`;
  return {
    specversion: "1.0",
    id: `ent_${id}`,
    source: origin,
    type: seq % 2 === 0 ? "remit.action-intended" : "remit.action-succeeded",
    time: new Date(Date.UTC(2026, 10, 1) + seq * 7).toISOString(),
    datacontenttype: "application/json",
    actor: "agent:support-triage",
    actionid: `act_${id}`,
    runid: `run_${digest.slice(0, 32)}`,
    traceid: digest.slice(8, 40),
    data: {
      accountable: "maria",
      agent: "support-triage",
      digest,
      durationMs: 12.5,
      effect: "read",
      environment: "production",
      payloads: { arguments: { commitment: digest, sealed: digest } },
      policy: "customer_support_tier1_v3",
      tool: "helpdesk__search_articles",
    },
  };
}

async function* pagesOf(count: number): AsyncGenerator<BundleEntry[]> {
  for (let from = 0; from < count; from += pageSize) {
    yield Array.from({ length: Math.min(pageSize, count - from) }, (_, index): BundleEntry => {
      const seq = from + index;
      const event = eventAt(seq);
      const body = Buffer.from(canonicalJson(event as Parameters<typeof canonicalJson>[0]));
      return { seq, body, event, leafHash: Buffer.from(tree.leaf(body)), payloads: [] };
    });
  }
}

/** Twice through the entries: the checkpoints stand before them in the bundle. */
export async function writeLedgerBundle(count: number, path: string): Promise<string> {
  const grown = merkleTree(tree);
  const checkpoints: string[] = [];
  for await (const page of pagesOf(count)) {
    for (const { leafHash } of page) {
      grown.append(leafHash);
      if (grown.size % checkpointEvery !== 0 && grown.size !== count) continue;
      checkpoints.push(signNote(checkpointText({ origin, size: grown.size, root: grown.root() }), signer));
    }
  }
  const population = {
    first: 0,
    last: count - 1,
    count,
    treeSize: count,
    root: Buffer.from(grown.root()).toString("base64"),
    firstCheckpoint: Math.min(count, checkpointEvery),
    lastCheckpoint: count,
  };
  const manifest: BundleManifest = {
    format: bundleFormat,
    origin,
    population,
    asked: { from: null, to: null },
    exportedAt: new Date().toISOString(),
    exportedBy: "service:bench",
    payloads: "none",
    proof: { left: [], right: [] },
    since: null,
  };
  const text = formatNoteKey(key);
  await pipeline(Readable.from(writeBundle({ manifest, checkpoints, keys: [text] }, pagesOf(count), [signer])), createWriteStream(path));
  await writeFile(`${path}.key`, `${text}\n`);
  return text;
}

if (import.meta.main) {
  const [count = "1000000", path = "bundle.tar"] = process.argv.slice(2);
  process.stdout.write(`${await writeLedgerBundle(Number(count), path)}\n`);
}
