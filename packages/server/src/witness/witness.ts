import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { RemitError } from "@remit/contract";
import { decideCosignature, formatNote, noteVerifier, parseCheckpoint, readNote, readWitnessRequest, signatureLine } from "@remit/core";
import type { Checkpoint, SignedRequest } from "@remit/core";
import { noteCrypto, sha256 } from "../keys/note-crypto.ts";
import { signLine } from "../keys/note-signer.ts";
import { sha256Tree } from "../ledger/ledger-key.ts";
import { readIfThere, writeDurably } from "./durable-file.ts";
import type { WitnessSettings } from "./witness-folder.ts";

/** What is answered to add-checkpoint. */
export type WitnessAnswer = {
  status: 200 | 400 | 403 | 404 | 409 | 422 | 503;
  type: "text/plain; charset=utf-8" | "text/x.tlog.size";
  body: string;
};

export type Witness = {
  addCheckpoint(body: string): Promise<WitnessAnswer>;
  /** The last checkpoint of a ledger that was cosigned, with the cosignatures; `originHash` is the SHA-256 of its origin in hexadecimal. */
  latest(originHash: string): Promise<string | null>;
};

const maxWaiting = 100;
/** So many contradictions of one ledger prove as much as any number does. Disputes are cheap to send: they never take the place of a proof. */
const maxKept = { split: 100, disputed: 20 } as const;

/**
 * Remembers the last checkpoint of each ledger that it watches, and cosigns one that continues it. The memory is a file for each ledger: what is
 * answered has been written before, and what was written is asked again each time, so that nothing else is ever believed.
 */
export async function createWitness(
  settings: WitnessSettings,
  { now = () => Date.now(), onProblem = () => {} }: { now?: () => number; onProblem?: (what: string) => void } = {},
): Promise<Witness> {
  const stateFolder = join(settings.folder, "state");
  const evidenceFolder = join(settings.folder, "evidence");
  await mkdir(stateFolder, { recursive: true, mode: 0o700 });
  await mkdir(evidenceFolder, { recursive: true, mode: 0o700 });
  const own = settings.signers.map(({ key }) => noteVerifier(noteCrypto, key));
  const turns = new Map<string, { last: Promise<unknown>; waiting: number }>();

  const fileOf = (originHash: string): string => join(stateFolder, originHash);

  /** @throws RemitError `internal` when the file is not one that this witness signed: then it has no memory, and cosigns nothing. */
  async function remembered(origin: string): Promise<{ note: string; checkpoint: Checkpoint } | null> {
    const note = await readIfThere(fileOf(hashOf(origin)));
    if (note === null) return null;
    const reading = readNote(note, own);
    const checkpoint = reading.type === "signed" ? parseCheckpoint(reading.text) : null;
    if (checkpoint === null || checkpoint.origin !== origin) {
      throw new RemitError(
        "internal",
        `The memory of ${origin} in ${fileOf(hashOf(origin))} is damaged; nothing is cosigned until it is put back`,
      );
    }
    return { note, checkpoint };
  }

  async function keep(kind: keyof typeof maxKept, request: SignedRequest, before: string | null, why: string): Promise<void> {
    const prefix = `${kind}-${hashOf(request.checkpoint.origin).slice(0, 16)}-`;
    const kept = (await readdir(evidenceFolder)).filter((name) => name.startsWith(prefix));
    const name = `${prefix}${sha256(Buffer.from(request.text)).toString("hex").slice(0, 16)}.json`;
    if (kept.length >= maxKept[kind] || kept.includes(name)) return;
    const found = { at: new Date(now()).toISOString(), why, oldSize: request.oldSize, seen: before, submitted: request.note };
    await writeDurably(join(evidenceFolder, name), `${JSON.stringify(found, null, 2)}\n`);
    onProblem(`${request.checkpoint.origin}: ${why}; both notes are kept in ${join(evidenceFolder, name)}`);
  }

  async function decide(request: SignedRequest): Promise<WitnessAnswer> {
    const before = await remembered(request.checkpoint.origin);
    const decision = decideCosignature(sha256Tree, request, before?.checkpoint ?? null);
    if (decision.type === "conflict") {
      if (decision.evidence) await keep("split", request, before?.note ?? null, "two roots were signed for one size");
      return { status: 409, type: "text/x.tlog.size", body: `${decision.size}\n` };
    }
    if (decision.type === "inconsistent") {
      if (decision.evidence) await keep("split", request, before?.note ?? null, decision.why);
      else if (decision.disputed) await keep("disputed", request, before?.note ?? null, decision.why);
      return plain(422, decision.why);
    }
    const timestamp = Math.max(1, Math.floor(now() / 1000));
    const lines = await Promise.all(settings.signers.map((signer) => signLine(signer, request.text, timestamp)));
    await writeDurably(fileOf(hashOf(request.checkpoint.origin)), formatNote(request.text, [...request.signatures, ...lines]));
    return { status: 200, type: "text/plain; charset=utf-8", body: lines.map(signatureLine).join("") };
  }

  /** One after the other for each ledger: what was remembered must still be so when it is replaced. */
  async function inTurn<Result>(origin: string, work: () => Promise<Result>): Promise<Result | null> {
    const turn = turns.get(origin) ?? { last: Promise.resolve(), waiting: 0 };
    if (turn.waiting >= maxWaiting) return null;
    turns.set(origin, turn);
    turn.waiting += 1;
    const mine = turn.last.then(work);
    turn.last = mine.catch(() => undefined);
    try {
      return await mine;
    } finally {
      turn.waiting -= 1;
    }
  }

  return {
    async addCheckpoint(body) {
      const reading = readWitnessRequest(noteCrypto, body, (origin) => settings.logs.filter(({ name }) => name === origin));
      if (reading.type === "refused") return plain(reading.status, reading.why);
      const answer = await inTurn(reading.request.checkpoint.origin, () => decide(reading.request));
      return answer ?? plain(503, "Too many requests for this ledger wait already");
    },
    async latest(originHash) {
      const log = settings.logs.find(({ name }) => hashOf(name) === originHash);
      return log === undefined ? null : ((await remembered(log.name))?.note ?? null);
    },
  };
}

/** How the protocol names a ledger in an address. */
export function hashOf(origin: string): string {
  return sha256(Buffer.from(origin)).toString("hex");
}

function plain(status: WitnessAnswer["status"], why: string): WitnessAnswer {
  return { status, type: "text/plain; charset=utf-8", body: `${why}\n` };
}
