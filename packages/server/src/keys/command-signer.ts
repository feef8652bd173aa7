import { spawn } from "node:child_process";
import { createPublicKey } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { readFile } from "node:fs/promises";
import { RemitError } from "@remit/contract";
import { noteKey } from "@remit/core";
import { publicKeyOf, rawPublicKey, sha256 } from "./note-crypto.ts";
import type { Signer } from "./note-signer.ts";

/** What else than this process may sign with: `command:` and a program with its arguments. */
export const signerVariable = "REMIT_LEDGER_SIGNER";
export const signerKeyVariable = "REMIT_LEDGER_SIGNER_PUBLIC_KEY";

const maxSignature = 8 * 1024;
const timeoutMs = 10_000;

/**
 * A key that another program signs with: a security module by `pkcs11-tool`, a cloud's key service by its own client. The program is run
 * for each checkpoint, with arguments that never change; it reads the bytes to sign on standard input and writes the signature alone.
 * Null where none is configured. @throws RemitError `invalid-configuration`
 */
export async function commandSigner(environment: Readonly<Record<string, string | undefined>>, origin: string): Promise<Signer | null> {
  const given = environment[signerVariable] ?? "";
  if (given === "") return null;
  if (!given.startsWith("command:"))
    throw refuse(`${signerVariable} is "command:" and a program with its arguments, in JSON where one of them holds a space`);
  const argv = readCommand(given.slice("command:".length).trim());
  const keyFile = environment[signerKeyVariable] ?? "";
  if (keyFile === "") throw refuse(`${signerVariable} needs ${signerKeyVariable} besides: the file of the public key that it signs with`);
  const raw = rawPublicKey(await readPublicKey(keyFile));
  const type = raw.length === 32 ? "ed25519" : "ml-dsa-44-cosignature";
  return { key: noteKey(sha256, origin, type, Uint8Array.from(raw)), sign: (message) => runSigner(argv, message, environment) };
}

function readCommand(text: string): [string, ...string[]] {
  let argv: unknown = text.split(/\s+/);
  if (text.startsWith("[")) {
    try {
      argv = JSON.parse(text);
    } catch (cause) {
      throw refuse(`${signerVariable} holds an array that is not JSON`, cause);
    }
  }
  if (!Array.isArray(argv) || !argv.every((word) => typeof word === "string" && word !== "" && !word.includes("\0"))) {
    throw refuse(`${signerVariable} names no program`);
  }
  const [program, ...rest] = argv as string[];
  if (program === undefined) throw refuse(`${signerVariable} names no program`);
  return [program, ...rest];
}

/** PEM, DER, or the 32 bytes of an Ed25519 key in base64. */
async function readPublicKey(file: string): Promise<KeyObject> {
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw refuse(`The file ${file} that ${signerKeyVariable} names cannot be read`, cause);
  });
  const text = bytes.toString("latin1").trim();
  try {
    if (text.startsWith("-----")) return createPublicKey(text);
    if (/^[A-Za-z0-9+/]{43}=$/.test(text)) return publicKeyOf("Ed25519", Buffer.from(text, "base64"));
    return createPublicKey({ key: bytes, format: "der", type: "spki" });
  } catch (cause) {
    throw refuse(`${file} holds no public key in PEM, DER or base64`, cause);
  }
}

async function runSigner(
  [program, ...args]: [string, ...string[]],
  message: Uint8Array,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Uint8Array> {
  // It is given what it needs to find its module and its PIN, and none of our own secrets.
  const passed = Object.entries(environment).filter(([name]) => /^(PATH|HOME|LANG|TZ|SOFTHSM2_CONF|PKCS11_.*|REMIT_SIGNER_.*)$/.test(name));
  const child = spawn(program, args, {
    stdio: ["pipe", "pipe", "pipe"],
    env: Object.fromEntries(passed),
    timeout: timeoutMs,
    killSignal: "SIGKILL",
  });
  const out: Buffer[] = [];
  let length = 0;
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => {
    length += chunk.length;
    if (length <= maxSignature) out.push(chunk);
    else child.kill("SIGKILL");
  });
  child.stderr.on("data", (chunk: Buffer) => {
    said = `${said}${chunk.toString("utf8")}`.slice(0, 500);
  });
  // A program that reads nothing has failed, and says so by its exit.
  child.stdin.on("error", () => undefined);
  child.stdin.end(message);
  const ended = Promise.withResolvers<number | null>();
  child.once("error", ended.reject);
  child.once("close", ended.resolve);
  try {
    const code = await ended.promise;
    if (code !== 0)
      throw new Error(
        code === null
          ? `it was stopped after ${timeoutMs / 1_000} s or for writing too much`
          : `it exited with ${code}${said === "" ? "" : `: ${said.trim()}`}`,
      );
    return Buffer.concat(out);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new RemitError("ledger-unavailable", `The program that signs checkpoints did not: ${why}`, { cause });
  }
}

function refuse(message: string, cause?: unknown): RemitError {
  return new RemitError("invalid-configuration", message, cause === undefined ? {} : { cause });
}
