import { mkdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { RemitError } from "@remit/contract";
import { formatNoteKey, noteKey, parseNoteKey } from "@remit/core";
import type { NoteKey, NoteKeyType } from "@remit/core";
import { z } from "zod";
import { sha256 } from "../keys/note-crypto.ts";
import { generatePrivateKey, localSigner, readPrivateKey } from "../keys/note-signer.ts";
import type { Signer } from "../keys/note-signer.ts";
import { readIfThere, writeDurably } from "./durable-file.ts";

const cosigningTypes = ["ed25519-cosignature", "ml-dsa-44-cosignature"] as const;

const settingsSchema = z.strictObject({
  /** What it signs as: by convention a URL without its scheme. */
  name: z.string(),
  /** A key each. */
  keys: z.array(z.enum(cosigningTypes)).min(1),
  /** Verifier keys of the ledgers that it watches. One origin may have several while its key is being replaced. */
  logs: z.array(z.string()),
});

/** Everything that a witness has: its keys, and whom it watches. */
export type WitnessSettings = { folder: string; name: string; signers: Signer[]; logs: NoteKey[] };

const settingsFile = (folder: string): string => join(folder, "witness.json");
const keyFile = (folder: string, type: NoteKeyType): string => join(folder, `${type}.pem`);

/** Makes the folder of a new witness with new keys. @throws RemitError `conflict` where there is one already */
export async function initWitness(
  folder: string,
  given: { name: string; postQuantum: boolean; logs: readonly string[] },
): Promise<WitnessSettings> {
  const types = given.postQuantum ? cosigningTypes : cosigningTypes.slice(0, 1);
  const logs = given.logs.map((text) => formatNoteKey(readLog(text)));
  requireName(given.name);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if ((await readIfThere(settingsFile(folder))) !== null) throw new RemitError("conflict", `There is a witness in ${folder} already`);
  // Keys first, the settings last: half a witness is none, and is begun anew.
  for (const type of types) {
    const pem = generatePrivateKey(type).export({ type: "pkcs8", format: "pem" });
    await writeDurably(keyFile(folder, type), String(pem));
  }
  await writeDurably(settingsFile(folder), `${JSON.stringify({ name: given.name, keys: types, logs }, null, 2)}\n`);
  return openWitness(folder);
}

/** @throws RemitError `invalid-configuration` | `not-found` */
export async function openWitness(folder: string): Promise<WitnessSettings> {
  const text = await readIfThere(settingsFile(folder));
  if (text === null)
    throw new RemitError("not-found", `There is no witness in ${folder}; make one: remit witness init ${folder} --name <name>`);
  const settings = readSettings(text, settingsFile(folder));
  requireName(settings.name);
  const signers = await Promise.all(
    settings.keys.map(async (type) => localSigner(settings.name, type, readPrivateKey(await readSecret(keyFile(folder, type))))),
  );
  return { folder, name: settings.name, signers, logs: settings.logs.map(readLog) };
}

/** Watches one more ledger, or one more key of it. */
export async function addLog(folder: string, vkey: string): Promise<WitnessSettings> {
  return changeLogs(folder, (logs) => [...new Set([...logs, formatNoteKey(readLog(vkey))])]);
}

/**
 * Takes no more checkpoints with this key. What was seen of the ledger stays: its other keys continue that and nothing else.
 * @throws RemitError `not-found`
 */
export async function removeLog(folder: string, vkey: string): Promise<WitnessSettings> {
  const gone = formatNoteKey(readLog(vkey));
  return changeLogs(folder, (logs) => {
    if (!logs.includes(gone)) throw new RemitError("not-found", `This witness does not watch ${gone}`);
    return logs.filter((log) => log !== gone);
  });
}

async function changeLogs(folder: string, change: (logs: string[]) => string[]): Promise<WitnessSettings> {
  const before = await openWitness(folder);
  const logs = change(before.logs.map(formatNoteKey));
  const keys = before.signers.map(({ key }) => key.type);
  await writeDurably(settingsFile(folder), `${JSON.stringify({ name: before.name, keys, logs }, null, 2)}\n`);
  return openWitness(folder);
}

function readSettings(text: string, file: string): z.infer<typeof settingsSchema> {
  try {
    return settingsSchema.parse(JSON.parse(text));
  } catch (cause) {
    const what = cause instanceof z.ZodError ? z.prettifyError(cause) : "it is not JSON";
    throw new RemitError("invalid-configuration", `${file} cannot be used: ${what}`, { cause });
  }
}

function readLog(text: string): NoteKey {
  const key = parseNoteKey(sha256, text.trim());
  if (key !== null) return key;
  throw new RemitError(
    "invalid-configuration",
    `"${text.slice(0, 80)}" is not the verifier key of a ledger: <origin>+<id>+<base64>. The ledger says it at GET /v1/audit/keys`,
  );
}

function requireName(name: string): void {
  try {
    noteKey(sha256, name, "ed25519-cosignature", new Uint8Array(32));
  } catch (cause) {
    throw new RemitError(
      "invalid-configuration",
      `"${name}" cannot name a witness: visible ASCII without spaces and "+", such as witness.example.org/1`,
      { cause },
    );
  }
}

async function readSecret(file: string): Promise<string> {
  const { mode } = await stat(file).catch((cause: unknown) => {
    throw new RemitError("invalid-configuration", `The key ${file} is not there`, { cause });
  });
  if (process.platform !== "win32" && (mode & 0o077) !== 0) {
    throw new RemitError(
      "invalid-configuration",
      `Others on this machine may read ${file}, and sign as this witness. If nobody has, run: chmod 600 ${file}`,
    );
  }
  return readFile(file, "utf8");
}
