import type { Checkpoint } from "./checkpoint.ts";
import { parseCheckpoint } from "./checkpoint.ts";
import { splitTimestamp } from "./cosignature.ts";
import { readNote } from "./note.ts";
import { noteVerifier } from "./note-key.ts";
import type { NoteCrypto, NoteKey } from "./note-key.ts";
import { equal } from "./proof.ts";
import { toHex } from "./utf8.ts";
import type { WitnessPolicy } from "./witness-policy.ts";

/** That a witness saw a checkpoint, by its own clock, in seconds since 1970. */
export type Cosignature = { witness: string; organisation: string; key: NoteKey; timestamp: number };

/** A checkpoint whose every signature of a known key has been verified. */
export type CheckpointReading =
  | { type: "checkpoint"; text: string; checkpoint: Checkpoint; signedBy: NoteKey[]; cosignatures: Cosignature[]; organisations: string[] }
  | { type: "refused"; why: string };

export type CheckpointTrust = {
  /** The keys of the ledger. One of them must have signed. */
  ledgerKeys: readonly NoteKey[];
  policy: Pick<WitnessPolicy, "witnesses" | "witnessedBy">;
  /** Where there is a clock: a cosignature from after this moment (seconds since 1970) counts for nothing. */
  latest?: number;
};

/**
 * Reads a checkpoint with everything that is known about who may sign it. An organisation is counted when a witness of it, with a key that is
 * no other's and not the ledger's own, signed this size and root.
 */
export function readCheckpoint(crypto: NoteCrypto, note: string, trust: CheckpointTrust): CheckpointReading {
  const own = new Set(trust.ledgerKeys.map(({ publicKey }) => toHex(publicKey)));
  const ledger = trust.ledgerKeys.map((key) => ({ ...noteVerifier(crypto, key), witness: null }));
  const witnesses = trust.policy.witnesses
    .filter(({ key }) => !own.has(toHex(key.publicKey)))
    .map((witness) => ({ ...noteVerifier(crypto, witness.key), witness }));
  const reading = readNote(note, [...ledger, ...witnesses]);
  if (reading.type !== "signed") return { type: "refused", why: reading.why };
  const checkpoint = parseCheckpoint(reading.text);
  if (checkpoint === null) return { type: "refused", why: "What was signed is not a checkpoint" };
  const signedBy = reading.signed.flatMap(({ verifier }) => (verifier.witness === null ? [verifier.key] : []));
  if (signedBy.length === 0) return { type: "refused", why: "No key of the ledger has signed it" };
  if (signedBy.some(({ name }) => name !== checkpoint.origin)) {
    return { type: "refused", why: `It is of ${checkpoint.origin}, and was signed for ${signedBy[0]?.name ?? ""}` };
  }
  const cosignatures = reading.signed.flatMap(({ verifier: { key, witness }, signature }) => {
    const timestamp = splitTimestamp(signature)?.timestamp ?? 0;
    if (witness === null || timestamp > (trust.latest ?? Number.MAX_SAFE_INTEGER)) return [];
    return [{ witness: witness.name, organisation: witness.organisation, key, timestamp }];
  });
  const organisations = trust.policy.witnessedBy(new Set(cosignatures.map(({ witness }) => witness)));
  return { type: "checkpoint", text: reading.text, checkpoint, signedBy, cosignatures, organisations };
}

/**
 * What can be said about who outside keeps a ledger from being rewritten unseen.
 * `organisations` have seen `size` entries; `at` is when the last that the quorum needs saw them, in seconds since 1970.
 */
export type Anchoring = {
  status: "UNANCHORED" | "WITNESSED";
  organisations: string[];
  quorum: number;
  size: number | null;
  at: number | null;
};

/** UNANCHORED unless as many organisations as the quorum asks for have seen this very checkpoint. */
export function anchoringOf(reading: CheckpointReading | null, quorum: number): Anchoring {
  const none: Anchoring = { status: "UNANCHORED", organisations: [], quorum, size: null, at: null };
  if (reading?.type !== "checkpoint" || reading.organisations.length === 0) return none;
  const { organisations, checkpoint, cosignatures } = reading;
  // When each organisation was last heard; in this order the quorum was reached with the one at its place.
  const times = organisations
    .map((name) => Math.max(...cosignatures.filter((line) => line.organisation === name).map(({ timestamp }) => timestamp)))
    .sort((left, right) => right - left);
  const isWitnessed = quorum >= 1 && organisations.length >= quorum;
  const at = times[Math.min(Math.max(quorum, 1), times.length) - 1] ?? null;
  return { status: isWitnessed ? "WITNESSED" : "UNANCHORED", organisations, quorum, size: checkpoint.size, at };
}

/** The status as it is said wherever integrity is claimed: `WITNESSED(2 organisations)`, `UNANCHORED (1 of 2 organisations)`. */
export function anchoringWords({ status, organisations, quorum }: Anchoring): string {
  const count = `${organisations.length} ${organisations.length === 1 ? "organisation" : "organisations"}`;
  if (status === "WITNESSED") return `WITNESSED(${count})`;
  return organisations.length === 0 ? "UNANCHORED" : `UNANCHORED (${organisations.length} of ${quorum} organisations)`;
}

/**
 * Two checkpoints of one ledger, both signed by it, that cannot both be true: at one size it showed two roots.
 * What else is a contradiction needs a consistency proof, or the ledger, to be seen.
 */
export function contradicts(one: Checkpoint, other: Checkpoint): boolean {
  return one.origin === other.origin && one.size === other.size && !equal(one.root, other.root);
}
