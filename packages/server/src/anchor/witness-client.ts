import {
  formatAddCheckpoint,
  formatNoteKey,
  noteVerifier,
  parseCheckpoint,
  parseSignatureLines,
  readNote,
  readSize,
  signatureLine,
  splitTimestamp,
} from "@remit/core";
import type { Checkpoint, NoteKey, PolicyWitness } from "@remit/core";
import { noteCrypto } from "../keys/note-crypto.ts";
import type { Outbound } from "../outbound/outbound.ts";
import { hashOf } from "../witness/witness.ts";
import type { StoredCosignature } from "./anchor.store.ts";

/** Witnesses that are reached at one address: those of an organisation that signs with several keys. */
export type WitnessPlace = { url: string; witnesses: readonly PolicyWitness[] };

export type SubmitResult =
  | { type: "cosigned"; lines: Omit<StoredCosignature, "size">[] }
  /** It holds a checkpoint of this size. */
  | { type: "holds"; size: number }
  /** It says that ours does not continue what it holds. */
  | { type: "inconsistent" }
  | { type: "failed"; why: string };

export type HeldResult =
  | { type: "held"; note: string; checkpoint: Checkpoint; cosignedBy: PolicyWitness[] }
  | { type: "nothing" }
  | { type: "failed"; why: string };

/** Clocks differ: a cosignature this many seconds ahead of ours is still taken. */
const aheadSeconds = 300;

/** Asks witnesses by C2SP tlog-witness. Whatever they answer is believed only where a key of theirs, or of the ledger, signed it. */
export type WitnessClient = {
  submit(
    place: WitnessPlace,
    request: { oldSize: number; proof: readonly Uint8Array[]; note: string; text: string; size: number },
  ): Promise<SubmitResult>;
  /** What a witness holds of a ledger. */
  held(place: WitnessPlace, origin: string, ledgerKeys: readonly NoteKey[]): Promise<HeldResult>;
};

export function createWitnessClient({ outbound, now }: { outbound: Outbound; now: () => Date }): WitnessClient {
  const addressOf = (url: string, path: string): string => `${url.replace(/\/+$/, "")}/${path}`;

  function verified(place: WitnessPlace, text: string, body: string): Omit<StoredCosignature, "size">[] | string {
    const signatures = parseSignatureLines(body);
    if (signatures === null) return "its answer is not made of signature lines";
    const verifiers = place.witnesses.map((witness) => ({ ...noteVerifier(noteCrypto, witness.key), witness }));
    const reading = readNote(`${text}\n${body}`, verifiers);
    if (reading.type === "forged") return `it answered with a false signature: ${reading.why}`;
    if (reading.type !== "signed") return "its answer is signed by no key that the policy names for it";
    const latest = Math.floor(now().getTime() / 1000) + aheadSeconds;
    const lines = reading.signed.flatMap(({ verifier, signature }) => {
      const timestamp = splitTimestamp(signature)?.timestamp ?? 0;
      const { name, keyId } = verifier;
      return timestamp === 0 || timestamp > latest
        ? []
        : [{ vkey: vkeyOf(verifier.witness), timestamp, line: signatureLine({ name, keyId, signature }) }];
    });
    return lines.length === 0 ? "its clock is more than five minutes ahead of ours" : lines;
  }

  return {
    async submit(place, { oldSize, proof, note, text, size }) {
      const answer = await outbound.fetch({
        url: addressOf(place.url, "add-checkpoint"),
        method: "POST",
        headers: { "content-type": "text/plain; charset=utf-8" },
        body: formatAddCheckpoint({ oldSize, proof, checkpoint: note }),
        accept: ["text/plain", "text/x.tlog.size"],
        maxBytes: 64 * 1024,
        timeoutMs: 10_000,
      });
      if (answer.type === "refused") return { type: "failed", why: answer.reason };
      const body = answer.body.toString("utf8");
      if (answer.status === 200) {
        const lines = verified(place, text, body);
        return typeof lines === "string" ? { type: "failed", why: lines } : { type: "cosigned", lines };
      }
      if (answer.status === 409) {
        const held = answer.mediaType === "text/x.tlog.size" && body.endsWith("\n") ? readSize(body.slice(0, -1)) : null;
        return held === null
          ? { type: "failed", why: "it answered 409 without saying which size it holds" }
          : { type: "holds", size: held };
      }
      if (answer.status === 422) return { type: "inconsistent" };
      if (answer.status === 404)
        return { type: "failed", why: "it does not watch this ledger; give its operator the key of: GET /v1/audit/keys" };
      if (answer.status === 403)
        return { type: "failed", why: "it knows another key of this ledger; give its operator the key of: GET /v1/audit/keys" };
      return { type: "failed", why: `it answered ${answer.status} to a checkpoint of ${size} entries` };
    },
    async held(place, origin, ledgerKeys) {
      const answer = await outbound.fetch({
        url: addressOf(place.url, `${hashOf(origin)}/checkpoint`),
        accept: ["text/plain"],
        maxBytes: 512 * 1024,
        timeoutMs: 10_000,
      });
      if (answer.type === "refused") return { type: "failed", why: answer.reason };
      if (answer.status === 404) return { type: "nothing" };
      if (answer.status !== 200) return { type: "failed", why: `it answered ${answer.status}` };
      const note = answer.body.toString("utf8");
      const own = ledgerKeys.map((key) => ({ ...noteVerifier(noteCrypto, key), witness: null }));
      const theirs = place.witnesses.map((witness) => ({ ...noteVerifier(noteCrypto, witness.key), witness }));
      const reading = readNote(note, [...own, ...theirs]);
      const checkpoint = reading.type === "signed" ? parseCheckpoint(reading.text) : null;
      if (reading.type !== "signed" || checkpoint === null || checkpoint.origin !== origin) {
        return { type: "failed", why: "what it shows is not a checkpoint of this ledger" };
      }
      // A witness can invent a checkpoint; only the ledger's own signature makes it something to answer for.
      if (!reading.signed.some(({ verifier }) => verifier.witness === null))
        return { type: "failed", why: "what it shows was not signed by this ledger" };
      return { type: "held", note, checkpoint, cosignedBy: reading.signed.flatMap(({ verifier }) => verifier.witness ?? []) };
    },
  };
}

function vkeyOf(witness: PolicyWitness): string {
  return formatNoteKey(witness.key);
}
