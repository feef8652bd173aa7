import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { formatNoteKey, parseNoteKey, parseWitnessPolicy } from "@remit/core";
import type { NoteKey } from "@remit/core";
import { canCheck, sha256 } from "./crypto.ts";
import type { Trust } from "./trust.ts";
import { exitCodes } from "./verdict.ts";
import { verdictWords } from "./verdict-words.ts";
import { verifyBundle } from "./verify-bundle.ts";

const help = `remit-verify checks a bundle that "remit audit export" wrote: offline, with nothing but this file and Node 20 or newer.

Usage: remit-verify <folder or archive.tar> --key <key> [options]

  --key <key>          a key of the ledger: a verifier key string, name+id+base64. May be repeated: keys rotate. One that no longer
                       signs is followed by " until " and the number of the entry that retired it, as "remit audit keys" has it
  --keys <file>        the same from a file, one a line; lines that begin with # are comments
  --witnesses <file>   the witnesses that you trust, as a C2SP tlog-policy; its "log" lines are keys of the ledger as well
  --checkpoint <file>  a checkpoint that you have kept from earlier: this ledger must contain or continue it. May be repeated
  --allow-unanchored   say ok also where nobody outside the ledger has seen its checkpoints
  --json               the verdict as JSON
  --help, --version

Take the key from the people who run the ledger, on another way than the bundle. The keys that a bundle brings along prove nothing:
without --key, --keys or --witnesses the verdict is never ok.

Exit codes
  0  ok          everything in the bundle is what was signed, all of it is there, and somebody outside has seen it
  1  tampered    something is not what was signed; the first wrong sequence number is named
  2  usage       the command was not understood, or a file that it names cannot be read
  3  incomplete  what would tell is missing: a part of the bundle, or a key that you trust
  4  unanchored  all is as signed, but no witness and no checkpoint of yours covers it: whoever holds both the
                 database and the key could have rewritten it (--allow-unanchored turns this into 0)
`;

export type Output = { out(text: string): void; err(text: string): void };

class UsageError extends Error {}

/** Runs the verifier with the words of a command line; the number is its exit code. */
export async function runVerifier(words: readonly string[], output: Output, version = "0.1.0"): Promise<number> {
  try {
    const { values, positionals } = parse(words);
    if (values.help === true) {
      output.out(help);
      return 0;
    }
    if (values.version === true) {
      output.out(`remit-verify ${version}\n`);
      return 0;
    }
    const [path, ...more] = positionals;
    if (path === undefined || more.length > 0) throw new UsageError("Name one bundle: a folder or an archive");
    const { trust, warnings } = await readTrust(values);
    const verdict = await verifyBundle(path, trust);
    verdict.warnings.unshift(...warnings);
    output.out(values.json === true ? `${JSON.stringify(verdict, null, 2)}\n` : verdictWords(verdict));
    return verdict.exit;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    output.err(`error: ${error.message}\nremit-verify --help explains how it is called\n`);
    return exitCodes.usage;
  }
}

function parse(words: readonly string[]) {
  try {
    return parseArgs({
      args: [...words],
      allowPositionals: true,
      options: {
        key: { type: "string", multiple: true },
        keys: { type: "string", multiple: true },
        witnesses: { type: "string" },
        checkpoint: { type: "string", multiple: true },
        "allow-unanchored": { type: "boolean" },
        json: { type: "boolean" },
        help: { type: "boolean", short: "h" },
        version: { type: "boolean" },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : "not understood");
  }
}

async function readTrust(values: ReturnType<typeof parse>["values"]): Promise<{ trust: Trust; warnings: string[] }> {
  const warnings: string[] = [];
  const fromFiles = await Promise.all((values.keys ?? []).map(readText));
  const lines = fromFiles
    .flatMap((text) => text.split("\n").map((line) => line.trim()))
    .filter((line) => line !== "" && !line.startsWith("#"));
  const policy = values.witnesses === undefined ? null : await readPolicy(values.witnesses, warnings);
  const given = [...(values.key ?? []), ...lines].map(ledgerKeyOf);
  const named = [...given.map(({ key }) => key), ...(policy?.logs.map(({ key }) => key) ?? [])];
  const keys = named.filter(canCheck);
  if (keys.length < named.length) {
    if (keys.length === 0) throw new UsageError(`This Node (${process.version}) cannot check signatures of the keys that are given`);
    warnings.push(`This Node (${process.version}) cannot check signatures with ML-DSA-44: those of the other keys were checked`);
  }
  const kept = await Promise.all((values.checkpoint ?? []).map(readText));
  return {
    trust: {
      keys,
      retired: new Map(given.flatMap(({ key, until }) => (until === null ? [] : [[formatNoteKey(key), until]]))),
      policy,
      kept,
      allowUnanchored: values["allow-unanchored"] === true,
    },
    warnings,
  };
}

function ledgerKeyOf(text: string): { key: NoteKey; until: number | null } {
  const [, vkey = "", until] = /^(\S*)(?: until (\d{1,15}))?$/.exec(text.trim()) ?? [];
  const key = parseNoteKey(sha256, vkey);
  if (key === null)
    throw new UsageError(`"${text.slice(0, 80)}" is not a verifier key: name+id+base64 is expected, and the id must be that of the key`);
  return { key, until: until === undefined ? null : Number(until) };
}

async function readPolicy(path: string, warnings: string[]) {
  const reading = parseWitnessPolicy(sha256, await readText(path));
  if (reading.type === "refused") {
    throw new UsageError(
      `${path} is not a policy of witnesses: ${reading.problems.map(({ line, message }) => `line ${line}: ${message}`).join("; ")}`,
    );
  }
  const { policy } = reading;
  const unknown = policy.witnesses.filter(({ key }) => !canCheck(key));
  for (const { name } of unknown)
    warnings.push(`This Node (${process.version}) cannot check the signatures of the witness ${name}: it does not count`);
  return { ...policy, witnesses: policy.witnesses.filter((witness) => !unknown.includes(witness)) };
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new UsageError(`Cannot read ${path}: ${error instanceof Error ? error.message : "unknown"}`);
  }
}
