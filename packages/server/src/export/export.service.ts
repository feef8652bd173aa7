import { bundleFormat, RemitError } from "@remit/contract";
import type { ExportRequest, Id } from "@remit/contract";
import { parseCheckpoint, parseNote } from "@remit/core";
import type { KeyStore } from "../keys/key-store.ts";
import { noteCrypto } from "../keys/note-crypto.ts";
import { localSigner } from "../keys/note-signer.ts";
import type { Signer } from "../keys/note-signer.ts";
import { defaultOrigin, verifierKeys } from "../ledger/ledger-key.ts";
import type { LedgerRows } from "../ledger/ledger-rows.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { PayloadKeys } from "../ledger/payload-keys.ts";
import type { StoredCheckpoint, TreeStore } from "../ledger/tree-store.ts";
import { bundlePages } from "./bundle-pages.ts";
import { writeBundle } from "./bundle-writer.ts";
import type { StatementSigner } from "./bundle-writer.ts";
import type { ExportStore } from "./export.store.ts";
import { consistencyProof, rangeProof } from "./range-proof.ts";

export type ExportDeps = {
  store: ExportStore;
  rows: LedgerRows;
  tree: TreeStore;
  payloadKeys: Pick<PayloadKeys, "forOpening">;
  keys: KeyStore;
  ledger: Pick<Ledger, "record">;
  /** What signs the ledger now; without it, the newest key that is stored. */
  signers?: () => Promise<readonly Signer[]>;
  /** Every key that has ever signed the ledger, as verifier key strings; without it, those that are stored. */
  knownKeys?: () => Promise<string[]>;
  /** A checkpoint's note with the cosignatures of its witnesses. */
  wholeNote?: (checkpoint: { size: number; note: string }) => Promise<string>;
  /** The newest checkpoint that enough organisations have witnessed. */
  witnessed?: () => Promise<StoredCheckpoint | null>;
  origin?: string;
  now: () => Date;
  newId: (kind: "entry") => Id<"entry">;
};

/** A bundle as it leaves: the pieces of a tar archive. */
export type ExportedBundle = { name: string; pieces: AsyncIterable<Uint8Array> };

export type Exports = {
  /**
   * A contiguous range of the ledger as a bundle. That it was given out, and to whom, is in the ledger before the first byte is.
   * @throws RemitError `not-found` where the range is empty; `invalid-request`; `conflict`; `ledger-unavailable`
   */
  open(request: ExportRequest, actor: string): Promise<ExportedBundle>;
};

const mostCheckpoints = 1_000;

export function createExports(deps: ExportDeps): Exports {
  const { store, rows, tree, origin = defaultOrigin, now, newId } = deps;

  async function range(request: ExportRequest, size: number): Promise<{ first: number; last: number }> {
    const from = placeOf(request.from);
    const to = placeOf(request.to);
    const timed = from instanceof Date || to instanceof Date;
    const between = timed ? await store.placesBetween(from instanceof Date ? from : null, to instanceof Date ? to : null) : null;
    const empty = new RemitError("not-found", "The ledger has no signed entry in this range");
    if (timed && between === null) throw empty;
    const first = from instanceof Date ? (between?.first ?? 0) : (from ?? 0);
    const last = to instanceof Date ? (between?.last ?? 0) : (to ?? size - 1);
    if (to !== null && !(to instanceof Date) && to >= size) {
      throw new RemitError("conflict", `The ledger has signed ${size} entries: the last is ${size - 1}, and ${to} was asked for`);
    }
    // An entry that waits for its place is not signed yet.
    const signed = Math.min(last, size - 1);
    if (first > signed) throw empty;
    return { first, last: signed };
  }

  async function sinceProof(note: string | undefined, size: number) {
    if (note === undefined) return null;
    const kept = parseCheckpoint(parseNote(note)?.text ?? "");
    if (kept === null) throw new RemitError("invalid-request", "The checkpoint that was kept is not a signed checkpoint");
    if (kept.origin !== origin)
      throw new RemitError("invalid-request", `The checkpoint that was kept is one of ${kept.origin}, and this is ${origin}`);
    if (kept.size > size) {
      throw new RemitError(
        "conflict",
        `The checkpoint that was kept signs ${kept.size} entries, and this ledger has ${size}: one of them is not this ledger's, or it was rolled back`,
      );
    }
    return { checkpoint: note, consistency: await consistencyProof(tree, kept.size, size) };
  }

  const keys = deps.knownKeys ?? (async () => verifierKeys(await rows.publicKeys(), origin));

  async function statementSigners(): Promise<StatementSigner[]> {
    const stored = async () => [localSigner(origin, "ed25519", (await deps.keys.signingKey("ledger", "Ed25519")).privateKey)];
    const signers = await (deps.signers ?? stored)();
    return signers
      .filter(({ key }) => key.type === "ed25519")
      .map((signer) => ({
        name: signer.key.name,
        keyId: signer.key.keyId,
        async sign(text) {
          const { key } = signer;
          const signature = await signer.sign(Buffer.from(text));
          if (noteCrypto.verify("Ed25519", key.publicKey, Buffer.from(text), signature)) return signature;
          throw new RemitError("ledger-unavailable", `What signs as ${key.name} did not sign with the private half of its key`);
        },
      }));
  }

  return {
    async open(request, actor) {
      const { checkpoint: newest } = await tree.last();
      if (newest === null) throw new RemitError("not-found", "The ledger is empty: nothing has been signed yet");
      const { first, last } = await range(request, newest.size);
      const witnessed = (await deps.witnessed?.()) ?? null;
      // What somebody outside has seen proves more than what is newer.
      const checkpoint = witnessed !== null && witnessed.size > last ? witnessed : newest;
      const { size } = checkpoint;
      const [proof, since, within] = [
        await rangeProof(tree, { first, last, size }),
        await sinceProof(request.since, size),
        await store.checkpoints(first, last + 1, mostCheckpoints),
      ];
      const checkpoints = [...within.filter((one) => one.size < size), { size, note: checkpoint.note }];
      const signers = await statementSigners();
      const at = now().toISOString();
      const population = {
        first,
        last,
        count: last - first + 1,
        treeSize: size,
        root: Buffer.from(checkpoint.root).toString("base64"),
        firstCheckpoint: checkpoints[0]?.size ?? size,
        lastCheckpoint: size,
      };
      await deps.ledger.record({
        id: newId("entry"),
        type: "audit-exported",
        at,
        actor,
        data: { first, last, treeSize: size, payloadForm: request.payloads },
      });
      const manifest = {
        format: bundleFormat,
        origin,
        population,
        asked: { from: request.from ?? null, to: request.to ?? null },
        exportedAt: at,
        exportedBy: actor,
        payloads: request.payloads,
        proof,
        since,
      } as const;
      const pages = bundlePages({ rows, payloadKeys: deps.payloadKeys, form: request.payloads, first, last });
      const plan = {
        manifest,
        checkpoints: await Promise.all(checkpoints.map(async (one) => deps.wholeNote?.(one) ?? one.note)),
        keys: await keys(),
      };
      return { name: `remit-bundle-${first}-${last}.tar`, pieces: writeBundle(plan, pages, signers) };
    },
  };
}

/** A sequence number or a time. */
function placeOf(text: string | undefined): number | Date | null {
  if (text === undefined) return null;
  if (/^\d+$/.test(text)) return Number(text);
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) throw new RemitError("invalid-request", `"${text}" is neither a sequence number nor a time`);
  return time;
}
