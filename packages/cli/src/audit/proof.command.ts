import { writeFile } from "node:fs/promises";
import { checkpointViewSchema, consistencyProofSchema } from "@remit/contract";
import type { Command } from "commander";
import { path, query } from "../client/http-client.ts";
import { example } from "../frame/command.ts";
import type { Run } from "../frame/command.ts";
import type { Frame } from "../frame/frame.ts";
import { anchorWords } from "./anchor-words.ts";

/** Proofs to take away: whoever has one can show it to somebody who trusts neither Remit nor its database. */
export function defineProofs(command: Command, run: Run): void {
  const proof = command
    .command("proof <entry>")
    .description("the receipt of an entry: a file that proves that it is in the ledger (C2SP tlog-proof)")
    .option("-o, --out <file>", "where to write it (default: standard output)")
    .option("--without-entry", "leave the entry itself out: whoever checks it must have its bytes")
    .action((entry: string, options: { out?: string; withoutEntry?: true }) => run((frame) => writeProof(frame, entry, options)));
  example(proof, "remit audit proof ent_0190… -o refund.tlog-proof", "remit audit proof ent_0190… --without-entry");

  const consistency = command
    .command("consistency <from> [to]")
    .description("proof that the ledger of so many entries continues the one of fewer")
    .action((from: string, to: string | undefined) => run((frame) => showConsistency(frame, from, to)));
  example(consistency, "remit audit consistency 1000", "remit audit consistency 1000 2000 --json");
}

async function writeProof(frame: Frame, entry: string, options: { out?: string; withoutEntry?: true }): Promise<void> {
  const client = await frame.client();
  const file = await client.text(path`/v1/audit/proof/${entry}` + query({ body: options.withoutEntry === true ? "false" : undefined }));
  if (options.out !== undefined) {
    await writeFile(options.out, file);
    frame.terminal.say(`written: ${options.out}`);
  }
  await sayAnchoring(frame);
  if (options.out === undefined || frame.settings.json) frame.terminal.answer({ entry, proof: file }, () => file.trimEnd().split("\n"));
}

async function showConsistency(frame: Frame, from: string, to: string | undefined): Promise<void> {
  const client = await frame.client();
  const proof = await client.send({ path: `/v1/audit/consistency${query({ from, to })}`, response: consistencyProofSchema });
  frame.terminal.answer(proof, () => [
    `${proof.to} entries continue the first ${proof.from}; ${proof.proof.length} hashes prove it`,
    ...proof.proof.map((hash) => `  ${hash}`),
    `  from ${proof.fromRoot}`,
    `  to   ${proof.toRoot}`,
  ]);
  await sayAnchoring(frame);
}

/** A proof is worth as much as the checkpoint that it leads to. */
async function sayAnchoring(frame: Frame): Promise<void> {
  const { terminal } = frame;
  const client = await frame.client();
  const { anchor } = await client.send({ path: "/v1/audit/checkpoint", response: checkpointViewSchema });
  terminal.say(anchorWords(anchor));
}
