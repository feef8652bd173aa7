import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkpointText, consistencySpans, formatAddCheckpoint, formatNote, formatNoteKey, merkleTree, spanRoot } from "@remit/core";
import type { NoteKeyType } from "@remit/core";
import { generatePrivateKey, localSigner, signLine } from "../keys/note-signer.ts";
import { sha256Tree } from "../ledger/ledger-key.ts";
import { initWitness, openWitness } from "./witness-folder.ts";
import type { WitnessSettings } from "./witness-folder.ts";

/** A ledger that says of itself what a test wants: two of one origin and key, grown differently, are a split view. */
export function createTestLog(origin: string, type: NoteKeyType = "ed25519", signer = localSigner(origin, type, generatePrivateKey(type))) {
  const leaves: Uint8Array[] = [];
  const perfect = (level: number, index: number): Uint8Array => {
    const tree = merkleTree(sha256Tree);
    for (const leaf of leaves.slice(index * 2 ** level, (index + 1) * 2 ** level)) tree.append(leaf);
    return tree.root();
  };
  const log = {
    origin,
    signer,
    vkey: formatNoteKey(signer.key),
    grow(count: number, seed = "entry") {
      for (let index = 0; index < count; index += 1) leaves.push(sha256Tree.leaf(Buffer.from(`${seed} ${leaves.length}`)));
      return log;
    },
    fork() {
      const other = createTestLog(origin, type, signer);
      return other.take(leaves);
    },
    take(others: readonly Uint8Array[]) {
      leaves.push(...others);
      return log;
    },
    text(size = leaves.length): string {
      const tree = merkleTree(sha256Tree);
      for (const leaf of leaves.slice(0, size)) tree.append(leaf);
      return checkpointText({ origin, size, root: tree.root() });
    },
    async note(size = leaves.length): Promise<string> {
      const text = log.text(size);
      return formatNote(text, [await signLine(signer, text, 1)]);
    },
    proof(from: number, to = leaves.length): Uint8Array[] {
      if (from === 0) return [];
      return consistencySpans(from, to).map((span) => spanRoot(sha256Tree, span, ({ level, index }) => perfect(level, index)));
    },
    /** The body of add-checkpoint. */
    async request(from: number, to = leaves.length): Promise<string> {
      return formatAddCheckpoint({ oldSize: from, proof: log.proof(from, to), checkpoint: await log.note(to) });
    },
  };
  return log;
}
export type TestLog = ReturnType<typeof createTestLog>;

/** The folder of a witness that watches these logs, until the end of the `await using` block. */
export async function openTestWitness(
  given: { name?: string; postQuantum?: boolean; logs?: readonly { vkey: string }[] } = {},
): Promise<AsyncDisposable & { settings: WitnessSettings; reopen(): Promise<WitnessSettings> }> {
  const parent = await mkdtemp(join(tmpdir(), "remit-witness-"));
  const { name = "witness.example/w1", postQuantum = false, logs = [] } = given;
  const settings = await initWitness(join(parent, "w"), { name, postQuantum, logs: logs.map(({ vkey }) => vkey) });
  return {
    settings,
    reopen: () => openWitness(settings.folder),
    [Symbol.asyncDispose]: () => rm(parent, { recursive: true, force: true, maxRetries: 3 }),
  };
}
