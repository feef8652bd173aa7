import type {
  AnchorSummary,
  CheckpointView,
  Id,
  LedgerVerdict,
  Receipt,
  RecordedEvent,
  ShownEntry,
  ShownPayload,
  Story,
} from "@remit/contract";
import { RemitError } from "@remit/contract";
import { equal, noteVerifier, openNote, parseCheckpoint, story, verifyInclusion } from "@remit/core";
import type { NoteVerifier } from "@remit/core";
import type { KeyStore } from "../keys/key-store.ts";
import { noteCrypto } from "../keys/note-crypto.ts";
import type { AuditStore, EntryFilter, EntryPage } from "./audit.store.ts";
import { defaultOrigin, ledgerVerifier, sha256Tree } from "./ledger-key.ts";
import type { LedgerKeys } from "./ledger-keys.service.ts";
import type { Outside } from "./verify-anchors.ts";
import type { LedgerRows } from "./ledger-rows.ts";
import type { PayloadKeys } from "./payload-keys.ts";
import type { Payloads } from "./payloads.ts";
import { createTreeProofs } from "./tree-proofs.ts";
import type { StoredCheckpoint, TreeStore } from "./tree-store.ts";
import { verifyLedger } from "./verify-ledger.ts";

export type AuditDeps = {
  store: AuditStore;
  tree: TreeStore;
  rows: LedgerRows;
  payloads: Payloads;
  payloadKeys: PayloadKeys;
  keys: KeyStore;
  /** What the ledger states of its keys; without it, the newest key of the store signs alone. */
  ledgerKeys?: Pick<LedgerKeys, "history">;
  /** Who keeps it elsewhere. */
  anchors?: {
    outside(): Promise<Outside>;
    notes: { whole(checkpoint: Pick<StoredCheckpoint, "size" | "note">): Promise<string> };
    view(): Promise<AnchorSummary>;
  };
  origin?: string;
};

/** Looking into the ledger. */
export type Audit = {
  entries(filter: EntryFilter, page: EntryPage): Promise<(RecordedEvent & { seq: number })[]>;
  /** What happened in a run, or around an action, approval, entry or trace. @throws RemitError `not-found` */
  show(id: string): Promise<Story>;
  /** Recomputes everything. Whoever asks while it runs gets the same verdict. */
  verify(): Promise<LedgerVerdict>;
  /** Null while the ledger is empty. */
  checkpoint(): Promise<CheckpointView | null>;
  /** @throws RemitError `not-found` | `conflict` while the entry waits for its place */
  receipt(entryId: Id<"entry">): Promise<Receipt>;
};

const longestStory = 2_000;
const nobody: AnchorSummary = { words: "UNANCHORED", organisations: [], quorum: 0, size: null, at: null };

export function createAudit(deps: AuditDeps): Audit {
  const { store, tree, origin = defaultOrigin } = deps;
  let verifying: Promise<LedgerVerdict> | null = null;

  async function shownPayload(entryId: string, name: string): Promise<ShownPayload> {
    try {
      const value = await deps.payloads.open(entryId as Id<"entry">, name);
      return value === null ? { state: "erased", value } : { state: "open", value };
    } catch (error) {
      if (!RemitError.is(error) || error.code !== "internal") throw error;
      return { state: "damaged", value: null };
    }
  }

  async function shown(recorded: RecordedEvent): Promise<ShownEntry> {
    const names = Object.keys(recorded.event.data.payloads ?? {});
    const payloads = await Promise.all(names.map(async (name) => [name, await shownPayload(recorded.event.id, name)] as const));
    return { ...recorded, payloads: Object.fromEntries(payloads) };
  }

  async function verify(): Promise<LedgerVerdict> {
    const { rows, payloadKeys, ledgerKeys, anchors } = deps;
    const trusted =
      ledgerKeys === undefined
        ? { publicKey: (await deps.keys.signingKey("ledger", "Ed25519")).publicKey }
        : { keys: () => ledgerKeys.history() };
    return verifyLedger({ rows, payloadKeys, origin, ...trusted, ...(anchors === undefined ? {} : { outside: () => anchors.outside() }) });
  }

  async function verifiers(): Promise<NoteVerifier[]> {
    if (deps.ledgerKeys !== undefined) return (await deps.ledgerKeys.history()).known.map((key) => noteVerifier(noteCrypto, key));
    return [ledgerVerifier((await deps.keys.signingKey("ledger", "Ed25519")).publicKey, origin)];
  }

  return {
    entries: (filter, page) => store.find(filter, page),
    async show(id) {
      const entries = await store.about(id, longestStory + 1);
      if (entries.length === 0) throw new RemitError("not-found", `The ledger has no entry about ${id}`);
      const shownEntries: ShownEntry[] = [];
      // A few at a time: a story must not take every connection.
      for (let start = 0; start < Math.min(entries.length, longestStory); start += 8) {
        shownEntries.push(...(await Promise.all(entries.slice(start, Math.min(start + 8, longestStory)).map(shown))));
      }
      return story(id, shownEntries, entries.length > longestStory);
    },
    verify() {
      verifying ??= verify().finally(() => {
        verifying = null;
      });
      return verifying;
    },
    async checkpoint() {
      const { checkpoint } = await tree.last();
      if (checkpoint === null) return null;
      const { size, root, at } = checkpoint;
      const [note, anchor] = await Promise.all([deps.anchors?.notes.whole(checkpoint) ?? checkpoint.note, deps.anchors?.view() ?? nobody]);
      return { size, root: Buffer.from(root).toString("base64"), note, at: at.toISOString(), anchor };
    },
    async receipt(entryId) {
      const [body, leaf, { checkpoint }, known] = await Promise.all([store.body(entryId), tree.leafOf(entryId), tree.last(), verifiers()]);
      if (body === null) throw new RemitError("not-found", `The ledger has no entry ${entryId}`);
      if (leaf === null || checkpoint === null || checkpoint.size <= leaf.seq) {
        throw new RemitError("conflict", "The entry is recorded and waits for its place in the ledger; ask again in a moment");
      }
      const proof = await createTreeProofs(tree).inclusion(leaf.seq, checkpoint.size);
      const signed = parseCheckpoint(openNote(checkpoint.note, known) ?? "");
      const claim = { index: leaf.seq, size: checkpoint.size, leaf: sha256Tree.leaf(body), root: signed?.root ?? sha256Tree.empty };
      // A receipt that does not hold is worse than none.
      if (signed === null || !equal(claim.leaf, leaf.leafHash) || !verifyInclusion(sha256Tree, claim, proof)) {
        throw new RemitError("ledger-unavailable", `Entry ${entryId} cannot be proved: the ledger was changed. Run: remit audit verify`);
      }
      return {
        seq: leaf.seq,
        body: body.toString(),
        proof: proof.map((hash) => Buffer.from(hash).toString("base64")),
        checkpoint: checkpoint.note,
      };
    },
  };
}
