import { parseAddCheckpoint } from "./add-checkpoint.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { parseCheckpoint } from "./checkpoint.ts";
import type { NoteSignature } from "./note.ts";
import { parseNote, readNote } from "./note.ts";
import type { NoteCrypto, NoteKey } from "./note-key.ts";
import { noteVerifier } from "./note-key.ts";
import { equal, verifyConsistency } from "./proof.ts";
import type { TreeHash } from "./tree-hash.ts";

/** A request to a witness whose form and signature are right. */
export type SignedRequest = {
  oldSize: number;
  proof: readonly Uint8Array[];
  /** The note as it came. */
  note: string;
  text: string;
  checkpoint: Checkpoint;
  /** The lines of the keys that the witness knows for this ledger. */
  signatures: NoteSignature[];
};

export type RequestReading =
  | { type: "request"; request: SignedRequest }
  /** Statuses as the protocol has them (https://c2sp.org/tlog-witness). */
  | { type: "refused"; status: 400 | 403 | 404; why: string };

/** What a witness was sent: checked as far as one can without knowing what it has seen. `keysOf`: the keys of a ledger, none for one that it does not watch. */
export function readWitnessRequest(crypto: NoteCrypto, body: string, keysOf: (origin: string) => readonly NoteKey[]): RequestReading {
  const add = parseAddCheckpoint(body);
  const parsed = add === null ? null : parseNote(add.checkpoint);
  const checkpoint = parseCheckpoint(parsed?.text ?? "");
  if (add === null || parsed === null || checkpoint === null) {
    return {
      type: "refused",
      status: 400,
      why: "This is not what add-checkpoint takes: an old size, a proof, an empty line, a signed checkpoint",
    };
  }
  const keys = keysOf(checkpoint.origin);
  if (keys.length === 0) return { type: "refused", status: 404, why: "This ledger is not watched here" };
  const verifiers = keys.map((key) => noteVerifier(crypto, key));
  const reading = readNote(add.checkpoint, verifiers);
  if (reading.type !== "signed") return { type: "refused", status: 403, why: `The checkpoint is not the ledger's: ${reading.why}` };
  if (add.oldSize > checkpoint.size) {
    return { type: "refused", status: 400, why: `The old size ${add.oldSize} is larger than that of the checkpoint, ${checkpoint.size}` };
  }
  const signatures = reading.signed.map(({ verifier, signature }) => ({ name: verifier.name, keyId: verifier.keyId, signature }));
  const { oldSize, proof, checkpoint: note } = add;
  return { type: "request", request: { oldSize, proof, note, text: parsed.text, checkpoint, signatures } };
}

export type WitnessDecision =
  | { type: "cosign" }
  /** `evidence`: the ledger signed two things that cannot both be true. `disputed`: it may have; the proof that it has not does not hold. */
  | { type: "conflict"; size: number; evidence: boolean }
  | { type: "inconsistent"; why: string; evidence: boolean; disputed: boolean };

/** Whether a witness that saw `latest` last (null: nothing) may say that it saw this. */
export function decideCosignature(hash: TreeHash, request: SignedRequest, latest: Checkpoint | null): WitnessDecision {
  const { oldSize, proof, checkpoint } = request;
  const seen = latest?.size ?? 0;
  const isSplit = latest !== null && latest.size === checkpoint.size && !equal(latest.root, checkpoint.root);
  if (oldSize !== seen) return { type: "conflict", size: seen, evidence: isSplit };
  const refuse = (why: string, evidence = false, disputed = false): WitnessDecision => ({ type: "inconsistent", why, evidence, disputed });
  if (isSplit) return refuse(`Another root was signed for ${checkpoint.size} entries before`, true);
  if (checkpoint.size === 0 && !equal(checkpoint.root, hash.empty)) return refuse("The root of no entries is another one", true);
  const claim = { oldSize, oldRoot: latest?.root ?? hash.empty, size: checkpoint.size, root: checkpoint.root };
  if (oldSize === 0) return proof.length === 0 ? { type: "cosign" } : refuse("From an empty ledger nothing needs a proof");
  if (!verifyConsistency(hash, claim, proof)) {
    return refuse(`The proof does not show that ${checkpoint.size} entries continue the ${oldSize} that were seen`, false, true);
  }
  return { type: "cosign" };
}
