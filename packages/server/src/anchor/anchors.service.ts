import type { AnchorsView } from "@remit/contract";
import {
  anchoringOf,
  anchoringWords,
  formatNoteKey,
  noteVerifier,
  parseCheckpoint,
  parseNote,
  readCheckpoint,
  readNote,
} from "@remit/core";
import type { Anchoring, Checkpoint, NoteKey, PolicyWitness, WitnessPolicy } from "@remit/core";
import type { Database } from "../database/database.ts";
import type { newId } from "../id/new-id.ts";
import { noteCrypto } from "../keys/note-crypto.ts";
import { defaultOrigin } from "../ledger/ledger-key.ts";
import type { LedgerKeys } from "../ledger/ledger-keys.service.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { StoredCheckpoint, TreeStore } from "../ledger/tree-store.ts";
import type { Outside, OutsideView } from "../ledger/verify-anchors.ts";
import type { CheckpointNotes } from "../tlog/tlog.service.ts";
import { createTreeProofs } from "../ledger/tree-proofs.ts";
import type { AnchorState, AnchorStore, CosignedCheckpoint } from "./anchor.store.ts";
import type { Sink } from "./sink.ts";
import { contradiction, digestOf } from "./split-view.ts";
import type { WitnessClient, WitnessPlace } from "./witness-client.ts";

export type AnchorsDeps = {
  database: Database;
  store: AnchorStore;
  tree: TreeStore;
  ledger: Ledger;
  ledgerKeys: Pick<LedgerKeys, "history">;
  client: WitnessClient;
  policy: WitnessPolicy;
  sinks?: readonly Sink[];
  origin?: string;
  now: () => Date;
  newId: typeof newId;
  onProblem?: (error: unknown) => void;
  /** At least this long between two checkpoints that are sent to one place. */
  intervalMs?: number;
  /** How often it is looked whether one is due; null: only when told to. */
  pollMs?: number | null;
};

/** Sends checkpoints to whoever keeps them outside, and knows what came of it. */
export type Anchors = {
  notes: CheckpointNotes;
  view(): Promise<AnchorsView>;
  /** What everybody outside holds at this moment, asked one by one, for whoever verifies. */
  outside(): Promise<Outside>;
  /** Everything that is due now, once; for tests and for `stop`. */
  turn(): Promise<void>;
  stop(): Promise<void>;
};

const leaseMs = 60_000;
const longestWaitMs = 15 * 60_000;
/** Somebody who has seen all there is is asked again after this long: that nothing was taken back since is worth knowing, too. */
const refreshMs = 60 * 60_000;
const lookedBack = 20;

export function startAnchors(deps: AnchorsDeps): Anchors {
  const { store, tree, policy, client, ledger, now, newId, origin = defaultOrigin, sinks = [], onProblem = () => {} } = deps;
  const { intervalMs = 5_000, pollMs = 1_000 } = deps;
  const proofs = createTreeProofs(tree);
  const places: WitnessPlace[] = [
    ...Map.groupBy(
      policy.witnesses.filter(({ url }) => url !== null),
      ({ url }) => url ?? "",
    ),
  ].map(([url, witnesses]) => ({ url, witnesses }));
  const known = async (): Promise<NoteKey[]> => (await deps.ledgerKeys.history()).known;
  const latest = (): number => Math.floor(now().getTime() / 1000) + 300;

  async function recordSplit(seenAt: string, what: string, ours: string, theirs: string): Promise<void> {
    const digest = digestOf(ours, theirs);
    await deps.database.transaction(async (transaction) => {
      if (!(await store.addSplitView(transaction, { digest, seenAt, what, ours, theirs }))) return;
      const data = { seenAt, what, digest, ours: headOf(ours), theirs: headOf(theirs) };
      await ledger.append(transaction, [
        { id: newId("entry"), type: "ledger-split-view-found", at: now().toISOString(), actor: "service:remit", data },
      ]);
    });
    onProblem(new Error(`SPLIT VIEW at ${seenAt}: ${what}. Both signed notes are kept: remit audit anchors`));
  }

  /** Whether somebody who refused our checkpoint holds one that proves that the ledger shows two faces. */
  async function isSplit(place: WitnessPlace): Promise<{ split: boolean; why: string }> {
    const held = await client.held(place, origin, await known());
    if (held.type === "failed")
      return { split: false, why: `it says that our checkpoint does not continue what it holds, and ${held.why}` };
    if (held.type === "nothing")
      return { split: false, why: "it says that our checkpoint does not continue what it holds, and holds nothing" };
    const { checkpoint: ours } = await tree.last();
    const what = ours === null ? null : await contradiction(held.checkpoint, ours, proofs);
    if (what === null || ours === null) return { split: false, why: "it refuses a proof that holds, of what it holds itself" };
    await recordSplit(place.url, what, ours.note, held.note);
    return { split: true, why: `SPLIT VIEW: ${what}` };
  }

  async function sendToWitness(place: WitnessPlace, state: AnchorState): Promise<AnchorState> {
    let oldSize = state.size;
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const { checkpoint } = await tree.last();
      if (checkpoint === null) return state;
      const { note, size } = checkpoint;
      const text = parseNote(note)?.text ?? "";
      if (oldSize > size) {
        const { split, why } = await isSplit(place);
        return { ...state, isSplit: split, problem: why, failures: state.failures + 1 };
      }
      const result = await client.submit(place, { oldSize, proof: await proofs.consistency(oldSize, size), note, text, size });
      if (result.type === "cosigned") {
        await store.addCosignatures(result.lines.map((line) => ({ ...line, size })));
        return { ...state, size, failures: 0, problem: null, sentAt: now() };
      }
      if (result.type === "inconsistent") {
        const { split, why } = await isSplit(place);
        return { ...state, isSplit: split, problem: why, failures: state.failures + 1 };
      }
      if (result.type === "failed") return { ...state, failures: state.failures + 1, problem: result.why };
      oldSize = result.size;
    }
    return { ...state, failures: state.failures + 1, problem: "it changes its mind about what it holds" };
  }

  async function sendToSink(sink: Sink, state: AnchorState): Promise<AnchorState> {
    const { checkpoint } = await tree.last();
    if (checkpoint === null) return state;
    const keys = await known();
    const kept = await sink.last(origin, keys);
    const held = kept === null ? null : signedBy(kept, keys);
    if (kept !== null && held === null)
      return {
        ...state,
        failures: state.failures + 1,
        problem: "its last checkpoint is not one that this ledger signed; it is not added to",
      };
    const what = held === null ? null : await contradiction(held, checkpoint, proofs);
    if (what !== null && kept !== null) {
      await recordSplit(sink.place, what, checkpoint.note, kept);
      return { ...state, isSplit: true, failures: state.failures + 1, problem: `SPLIT VIEW: ${what}` };
    }
    if (held?.size !== checkpoint.size)
      await sink.add({ note: await whole(checkpoint), text: parseNote(checkpoint.note)?.text ?? "", size: checkpoint.size });
    return { ...state, size: checkpoint.size, failures: 0, problem: null, sentAt: now() };
  }

  async function serve(place: string, isWitness: boolean, send: (state: AnchorState) => Promise<AnchorState>): Promise<void> {
    const state = await store.claim(place, leaseMs);
    if (state === null) return;
    let next: AnchorState = state;
    let waitMs = intervalMs;
    try {
      // Where two faces were seen nothing is sent any more: no signature could mend that.
      if (state.isSplit) waitMs = longestWaitMs;
      else {
        const { checkpoint } = await tree.last();
        const isFresh = state.sentAt !== null && now().getTime() - state.sentAt.getTime() < refreshMs;
        const isDue = checkpoint !== null && (checkpoint.size !== state.size || state.problem !== null || (isWitness && !isFresh));
        if (isDue) next = await send(state);
        waitMs = next.failures === 0 ? intervalMs : Math.min(longestWaitMs, intervalMs * 2 ** Math.min(next.failures, 10));
        if (next.problem !== null && next.problem !== state.problem) onProblem(new Error(`${place}: ${next.problem}`));
      }
    } catch (error) {
      next = { ...state, failures: state.failures + 1, problem: error instanceof Error ? error.message : String(error) };
      waitMs = Math.min(longestWaitMs, intervalMs * 2 ** Math.min(next.failures, 10));
      onProblem(error);
    }
    await store.settle(next, waitMs);
  }

  async function turn(): Promise<void> {
    await Promise.all([
      ...places.map((place) => serve(place.url, true, (state) => sendToWitness(place, state))),
      ...sinks.map((sink) => serve(sink.place, false, (state) => sendToSink(sink, state))),
    ]);
  }

  function trust(keys: readonly NoteKey[]) {
    return { ledgerKeys: keys, policy, latest: latest() };
  }

  async function whole(checkpoint: Pick<StoredCheckpoint, "size" | "note">): Promise<string> {
    if (policy.witnesses.length === 0) return checkpoint.note;
    const lines = await store.cosignatures(checkpoint.size);
    if (lines.length === 0) return checkpoint.note;
    const text = parseNote(checkpoint.note)?.text ?? "";
    // A line that somebody put into the database must not make the note worthless to others.
    const verifiers = policy.witnesses.map(({ key }) => noteVerifier(noteCrypto, key));
    const right = lines.filter(({ line }) => readNote(`${text}\n${line}`, verifiers).type === "signed");
    return `${checkpoint.note}${right.map(({ line }) => line).join("")}`;
  }

  /** The newest checkpoint that was witnessed; where none was, the newest that anybody has seen. */
  async function newestSeen(): Promise<{ anchoring: Anchoring; checkpoint: CosignedCheckpoint | null }> {
    const none = { anchoring: anchoringOf(null, policy.quorum), checkpoint: null };
    const cosigned = policy.witnesses.length === 0 ? [] : await store.cosigned(lookedBack);
    if (cosigned.length === 0) return none;
    const keys = await known();
    let best: { anchoring: Anchoring; checkpoint: CosignedCheckpoint | null } = none;
    for (const checkpoint of cosigned) {
      const reading = readCheckpoint(noteCrypto, `${checkpoint.note}${checkpoint.lines.map(({ line }) => line).join("")}`, trust(keys));
      const anchoring = anchoringOf(reading, policy.quorum);
      if (anchoring.status === "WITNESSED") return { anchoring, checkpoint };
      if (best.checkpoint === null && anchoring.organisations.length > 0) best = { anchoring, checkpoint };
    }
    return best;
  }

  const stopping = new AbortController();
  const running = pollMs === null || places.length + sinks.length === 0 ? Promise.resolve() : run(pollMs);
  async function run(pollMs: number): Promise<void> {
    while (!stopping.signal.aborted) {
      await turn().catch(onProblem);
      await untilAborted(stopping.signal, pollMs);
    }
  }

  return {
    turn,
    notes: {
      whole,
      async witnessed() {
        const { anchoring, checkpoint } = await newestSeen();
        return anchoring.status === "WITNESSED" && checkpoint !== null ? tree.at(checkpoint.size) : null;
      },
    },
    async view() {
      const [{ anchoring }, states, splits, { checkpoint }, cosigned] = await Promise.all([
        newestSeen(),
        store.states(),
        store.splitViews(100),
        tree.last(),
        policy.witnesses.length === 0 ? [] : store.cosigned(lookedBack),
      ]);
      const stateOf = (place: string | null) => states.find((state) => state.place === place);
      return {
        status: anchoring.status,
        words: splits.length === 0 ? anchoringWords(anchoring) : `SPLIT VIEW, ${anchoringWords(anchoring)}`,
        organisations: anchoring.organisations,
        quorum: anchoring.quorum,
        size: anchoring.size,
        at: anchoring.at === null ? null : new Date(anchoring.at * 1000).toISOString(),
        ageSeconds: anchoring.at === null ? null : Math.max(0, Math.round(now().getTime() / 1000 - anchoring.at)),
        behind: (checkpoint?.size ?? 0) - (anchoring.status === "WITNESSED" ? (anchoring.size ?? 0) : 0),
        witnesses: policy.witnesses.map((witness) => ({ ...lastOf(witness, cosigned), problem: stateOf(witness.url)?.problem ?? null })),
        sinks: sinks.map(({ place }) => {
          const state = stateOf(place);
          return { place, size: state?.size ?? 0, at: state?.sentAt?.toISOString() ?? null, problem: state?.problem ?? null };
        }),
        splitViews: splits.map(({ seenAt, what, at, ours, theirs }) => ({ seenAt, what, at: at.toISOString(), ours, theirs })),
      };
    },
    async outside() {
      const keys = await known();
      const cosigned = policy.witnesses.length === 0 ? [] : await store.cosigned(lookedBack);
      const asked = await Promise.all([
        ...places.map(async (place): Promise<OutsideView[]> => {
          const held = await client.held(place, origin, keys);
          return held.type === "held" ? [{ who: place.url, ...sizeAndRoot(held.checkpoint) }] : [];
        }),
        ...sinks.map(async (sink): Promise<OutsideView[]> => {
          const held = signedBy((await sink.last(origin, keys).catch(() => null)) ?? "", keys);
          return held === null ? [] : [{ who: sink.place, ...sizeAndRoot(held) }];
        }),
      ]);
      // What was seen once stays true, whatever those who saw it say now.
      const splits = (await store.splitViews(100)).flatMap(({ seenAt, theirs }) => {
        const held = signedBy(theirs, keys);
        return held === null ? [] : [{ who: seenAt, ...sizeAndRoot(held) }];
      });
      return {
        policy,
        cosignatures: new Map(cosigned.map(({ size, lines }) => [size, lines.map(({ line }) => line)])),
        views: [...asked.flat(), ...splits],
      };
    },
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

function lastOf({ name, organisation, key, url }: PolicyWitness, cosigned: readonly CosignedCheckpoint[]) {
  const vkey = formatNoteKey(key);
  const line = cosigned.flatMap(({ lines }) => lines).find((line) => line.vkey === vkey);
  return {
    name,
    organisation,
    vkey,
    url,
    size: line?.size ?? null,
    at: line === undefined ? null : new Date(line.timestamp * 1000).toISOString(),
  };
}

/** The checkpoint in a note that one of these keys signed. Lines of others are not looked at. */
function signedBy(note: string, keys: readonly NoteKey[]): Checkpoint | null {
  const reading = readNote(
    note,
    keys.map((key) => noteVerifier(noteCrypto, key)),
  );
  return reading.type === "signed" ? parseCheckpoint(reading.text) : null;
}

function sizeAndRoot({ size, root }: Checkpoint) {
  return { size, root };
}

function headOf(note: string) {
  const checkpoint = parseCheckpoint(parseNote(note)?.text ?? "");
  return { size: checkpoint?.size ?? null, root: checkpoint === null ? null : Buffer.from(checkpoint.root).toString("base64") };
}

async function untilAborted(signal: AbortSignal, ms: number): Promise<void> {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  signal.addEventListener("abort", () => resolve(), { once: true });
  await promise;
  clearTimeout(timer);
}
