import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { ledgerKeysViewSchema, payloadForms, RemitError } from "@remit/contract";
import type { LedgerKeysView } from "@remit/contract";
import { Option } from "commander";
import type { Command } from "commander";
import { example } from "../frame/command.ts";
import type { Run } from "../frame/command.ts";
import type { Frame } from "../frame/frame.ts";
import { safeLine } from "../terminal/safe-text.ts";
import { writeBundle } from "./bundle-output.ts";

type ExportOptions = { from?: string; to?: string; output: string; payloads: string; since?: string };

export function defineExport(command: Command, run: Run): void {
  const define = command
    .command("export")
    .description("write a contiguous range of the ledger as a bundle that remit-verify checks offline")
    .requiredOption("-o, --output <place>", "a folder, or an archive that ends in .tar")
    .option("--from <seq or time>", "from this entry, or this time (ISO 8601 in UTC), on; from the first without it")
    .option("--to <seq or time>", "up to and with this entry, or before this time; up to the last without it")
    .addOption(
      new Option("--payloads <form>", "arguments and results: left out, sealed, or opened").choices(payloadForms).default("sealed"),
    )
    .option("--since <file>", "a checkpoint that you kept: the bundle proves that the ledger continues it")
    .action((options: ExportOptions) => run((frame) => exportBundle(frame, options)));
  example(
    define,
    "remit audit export --from 2026-11-01T00:00:00Z --to 2026-12-01T00:00:00Z -o november.tar",
    "remit audit export --from 1000 --to 1999 --payloads open -o sample",
    "remit audit export --since kept-checkpoint.txt -o quarter.tar",
  );
}

export function defineKeys(command: Command, run: Run): void {
  const define = command
    .command("keys")
    .description("the keys that sign the ledger, as remit-verify takes them: hand them to whoever is to check it, apart from any bundle")
    .action(() => run(showKeys));
  example(define, "remit audit keys > ledger-keys.txt", "remit audit keys --json");
}

async function showKeys(frame: Frame): Promise<void> {
  const client = await frame.client();
  const answer = await client.send({ path: "/v1/audit/keys", response: ledgerKeysViewSchema });
  frame.terminal.answer(answer, () => answer.keys.map(keyLine));
}

/** A key that no longer signs is worth nothing from the entry on that says so. */
function keyLine({ vkey, retired }: LedgerKeysView["keys"][number]): string {
  return retired?.seq == null ? safeLine(vkey) : `${safeLine(vkey)} until ${retired.seq}`;
}

async function exportBundle(frame: Frame, { from, to, output, payloads, since }: ExportOptions): Promise<void> {
  const client = await frame.client();
  const kept = since === undefined ? undefined : await readKept(resolve(frame.around.cwd, since));
  const { asked, insisted } = frame.around.interruption();
  const body = { from, to, payloads, since: kept };
  const pieces = await client.download("POST", "/v1/audit/export", body, AbortSignal.any([asked, insisted]));
  const { bytes } = await writeBundle(pieces, resolve(frame.around.cwd, output));
  frame.terminal.answer({ output, bytes, payloads }, () => [`Wrote ${output} (${bytes} bytes).`]);
  frame.terminal.say(`check it offline, with the ledger's key: node remit-verify.mjs ${output} --key <key>`);
}

async function readKept(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new RemitError("invalid-request", `Cannot read the checkpoint ${path}`, { cause: error });
  }
}
