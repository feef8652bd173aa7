import { createHash, createHmac, generateKeyPairSync, randomBytes, sign } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundleFormat } from "@remit/contract";
import type { BundleManifest, BundlePayload, Json, JsonObject, LedgerEvent, PayloadForm } from "@remit/contract";
import {
  canonicalJson,
  checkpointText,
  dssePreAuthentication,
  formatNoteKey,
  merkleTree,
  noteKey,
  readTarHeader,
  signNote,
  spanNodes,
  spanRoot,
} from "@remit/core";
import type { NoteKey, NoteSigner } from "@remit/core";
import { writeBundle } from "@remit/server/testing";
import type { BundleEntry } from "@remit/server/testing";
import { sha256, sha256Tree } from "./crypto.ts";

export const testOrigin = "test.example/ledger";

/** A folder that is gone at the end of the `await using` block. */
export async function openFolder(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), "remit-verify-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

export type TestKey = { key: NoteKey; text: string; signer: NoteSigner; privateKey: KeyObject };

export function testKey(name = testOrigin): TestKey {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const key = noteKey(sha256, name, "ed25519", publicKey.export({ type: "spki", format: "der" }).subarray(-32));
  return { key, text: formatNoteKey(key), privateKey, signer: { ...key, sign: (text) => sign(null, Buffer.from(text), privateKey) } };
}

/** An entry of the ledger as it is written, with a payload in every third. */
export function testEvent(
  seq: number,
  origin = testOrigin,
  change: NonNullable<TestBundle["event"]> = (event) => event,
): { event: LedgerEvent; body: Buffer; payload: { salt: Buffer; value: JsonObject } | null } {
  const payload = seq % 3 === 0 ? { salt: randomBytes(32), value: { seq } } : null;
  const commitments =
    payload === null
      ? {}
      : {
          payloads: {
            arguments: {
              commitment: createHmac("sha256", payload.salt).update(canonicalJson(payload.value)).digest("hex"),
              sealed: Buffer.from(sha256(ciphertextOf(seq))).toString("hex"),
            },
          },
        };
  const event: LedgerEvent = {
    specversion: "1.0",
    id: `ent_${String(seq).padStart(32, "0")}`,
    source: origin,
    type: "remit.action-denied",
    time: new Date(Date.UTC(2026, 10, 1) + seq * 1000).toISOString(),
    datacontenttype: "application/json",
    actor: "agent:triage",
    actionid: `act_${String(seq).padStart(32, "0")}`,
    data: { reason: "no grant", tool: "helpdesk__send_email", ...commitments },
  };
  const changed = change(event, seq);
  return { event: changed, body: Buffer.from(canonicalJson(changed as Json)), payload };
}

function ciphertextOf(seq: number): Buffer {
  return Buffer.from(`sealed ${seq}`);
}

export type TestBundle = {
  size: number;
  first?: number;
  last?: number;
  payloads?: PayloadForm;
  /** Sizes at which checkpoints are signed; the last is `size`. */
  checkpoints?: readonly number[];
  key: TestKey;
  /** How much goes into one part. */
  part?: { entries: number; bytes: number };
  /** What the rows of a database that was tampered with would say. */
  entries?: (entry: BundleEntry) => BundleEntry;
  manifest?: (manifest: BundleManifest) => BundleManifest;
  /** What is done to each note, for example cosigning it. */
  note?: (note: string) => string;
  /** What the entries say, where that is something else than a denied call. */
  event?: (event: LedgerEvent, seq: number) => LedgerEvent;
};

/** Makes the files of a bundle without a server or a database. */
export async function makeBundle(options: TestBundle): Promise<Map<string, Buffer>> {
  const { size, first = 0, last = size - 1, payloads = "open", key, note = (text) => text } = options;
  const sizes = [...(options.checkpoints ?? []), size];
  const tree = merkleTree(sha256Tree);
  const all = Array.from({ length: size }, (_, seq) => testEvent(seq, testOrigin, options.event));
  const leaves = all.map(({ body }) => sha256Tree.leaf(body));
  const notes: { size: number; note: string; root: Uint8Array }[] = [];
  for (const leaf of leaves) {
    tree.append(leaf);
    if (!sizes.includes(tree.size)) continue;
    const root = tree.root();
    notes.push({ size: tree.size, root, note: note(signNote(checkpointText({ origin: testOrigin, size: tree.size, root }), key.signer)) });
  }
  const within = notes.filter((one) => one.size > first && (one.size <= last + 1 || one.size === size));
  const rootOf = (start: number, end: number) =>
    spanNodes({ start, end }).map(({ level, index }) =>
      Buffer.from(
        spanRoot(sha256Tree, { start: index * 2 ** level, end: (index + 1) * 2 ** level }, (node) =>
          nodeOf(leaves, node.level, node.index),
        ),
      ).toString("base64"),
    );
  const base: BundleManifest = {
    format: bundleFormat,
    origin: testOrigin,
    population: {
      first,
      last,
      count: last - first + 1,
      treeSize: size,
      root: Buffer.from(tree.root()).toString("base64"),
      firstCheckpoint: within[0]?.size ?? size,
      lastCheckpoint: size,
    },
    asked: { from: null, to: null },
    exportedAt: "2026-11-21T10:00:00.000Z",
    exportedBy: "party:olga",
    payloads,
    proof: { left: rootOf(0, first), right: rootOf(last + 1, size) },
    since: null,
  };
  const page = all.slice(first, last + 1).map(({ event, body, payload }, index): BundleEntry => {
    const seq = first + index;
    return {
      seq,
      body,
      event,
      leafHash: Buffer.from(leaves[seq] ?? Buffer.alloc(32)),
      payloads: payload === null || payloads === "none" ? [] : [payloadLine(seq, payloads, payload)],
    };
  });
  const entries = options.entries === undefined ? page : page.map(options.entries);
  const plan = { manifest: options.manifest?.(base) ?? base, checkpoints: within.map((one) => one.note), keys: [key.text] };
  const pieces: Uint8Array[] = [];
  for await (const piece of writeBundle(plan, pagesOf(entries), [key.signer], options.part)) pieces.push(piece);
  return untar(Buffer.concat(pieces));
}

function payloadLine(seq: number, form: PayloadForm, { salt, value }: { salt: Buffer; value: JsonObject }): BundlePayload {
  return form === "open"
    ? { seq, name: "arguments", state: "open", salt: salt.toString("hex"), value }
    : { seq, name: "arguments", state: "sealed", ciphertext: ciphertextOf(seq).toString("base64") };
}

function nodeOf(leaves: readonly Uint8Array[], level: number, index: number): Uint8Array {
  const hash =
    level === 0 ? leaves[index] : sha256Tree.node(nodeOf(leaves, level - 1, 2 * index), nodeOf(leaves, level - 1, 2 * index + 1));
  if (hash === undefined) throw new RangeError("no such node");
  return hash;
}

async function* pagesOf(entries: readonly BundleEntry[]): AsyncGenerator<BundleEntry[]> {
  for (let at = 0; at < entries.length; at += 1_000) yield entries.slice(at, at + 1_000);
}

/** Signs a new statement about the files as they are now. */
export function restate(
  files: ReadonlyMap<string, Buffer>,
  key: TestKey,
  change: (statement: Record<string, Json>) => Json = (statement) => statement,
): Map<string, Buffer> {
  const { payload } = JSON.parse(String(files.get("statement.intoto.json"))) as { payload: string };
  const statement = JSON.parse(Buffer.from(payload, "base64").toString()) as Record<string, Json>;
  const subject = [...files]
    .filter(([name]) => name !== "statement.intoto.json")
    .map(([name, content]) => ({ name, digest: { sha256: createHash("sha256").update(content).digest("hex") } }));
  const text = canonicalJson(change({ ...statement, subject }));
  const type = "application/vnd.in-toto+json";
  const sig = Buffer.from(key.signer.sign(dssePreAuthentication(type, text, (value) => Buffer.byteLength(value)))).toString("base64");
  const envelope = { payloadType: type, payload: Buffer.from(text).toString("base64"), signatures: [{ keyid: "any", sig }] };
  return new Map(files).set("statement.intoto.json", Buffer.from(`${canonicalJson(envelope)}\n`));
}

export function untar(archive: Buffer): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  for (let at = 0; ;) {
    const member = readTarHeader(archive.subarray(at, at + 512));
    if (member === "end") return files;
    if ("refused" in member) throw new Error(member.refused);
    files.set(member.name, Buffer.from(archive.subarray(at + 512, at + 512 + member.size)));
    at += 512 + Math.ceil(member.size / 512) * 512;
  }
}

export async function writeFolder(folder: string, files: ReadonlyMap<string, Buffer>): Promise<string> {
  await mkdir(folder);
  for (const [name, content] of files) await writeFile(join(folder, name), content);
  return folder;
}
