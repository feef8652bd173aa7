import { readFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { resolve } from "node:path";
import { RemitError } from "@remit/contract";
import type { Command } from "commander";
import { z } from "zod";
import { example } from "../frame/command.ts";
import type { Run } from "../frame/command.ts";
import type { Frame } from "../frame/frame.ts";
import { safeLine } from "../terminal/safe-text.ts";
import { databaseOf } from "./database-of.ts";

type RestoreOptions = { dataDir?: string; witnessed?: string; acknowledgeLoss?: string };

export function defineRestore(command: Command, run: Run): void {
  command
    .argument("<file>", "what remit backup wrote")
    .description("restore a backup into an empty database and verify its ledger; exits 1 where it does not verify or has gone back")
    .option("--data-dir <folder>", "an empty one, where DATABASE_URL names no database (default: REMIT_DATA_DIR, else .remit here)")
    .option("--witnessed <file>", "the newest checkpoint that a witness, a git repository or a colleague has")
    .option("--acknowledge-loss <why>", "go on although entries that were witnessed are not in the backup")
    .action((file: string, options: RestoreOptions) => run((frame) => restoreFile(frame, file, options)));
  example(
    command,
    "remit restore remit.backup --data-dir restored --witnessed checkpoint.txt",
    'remit restore remit.backup --witnessed checkpoint.txt --acknowledge-loss "the disk is gone, this is the last backup"',
  );
}

async function restoreFile(frame: Frame, file: string, options: RestoreOptions): Promise<number> {
  const { cwd } = frame.around;
  const witnessed = options.witnessed === undefined ? undefined : await readNote(resolve(cwd, options.witnessed));
  const { ledgerOrigin, openOwnerConnection, restore } = await import("@remit/server");
  const owner = await openOwnerConnection(databaseOf(frame.around, options.dataDir));
  try {
    const restored = await restore({
      url: owner.url,
      file: resolve(cwd, file),
      origin: ledgerOrigin(frame.around.env),
      ...(owner.applicationPassword === undefined ? {} : { applicationPassword: owner.applicationPassword }),
      ...(witnessed === undefined ? {} : { witnessed }),
      ...(options.acknowledgeLoss === undefined ? {} : { acknowledged: { by: userInfo().username, reason: options.acknowledgeLoss } }),
    });
    const { verdict, rollback, verified } = restored;
    frame.terminal.answer(restored, () => [
      `Restored ${restored.tables} tables as of ${restored.takenAt}: the Remit ${restored.instance}.`,
      `ledger: ${verdict.size} entries, ${verdict.ok ? "verified" : `NOT verified, ${verdict.problemCount} problems`}, root ${verdict.root}`,
      ...(rollback === null
        ? []
        : [`GONE BACK: ${rollback.witnessed} entries were witnessed, ${rollback.witnessed - rollback.restored} of them are lost.`]),
      ...verdict.problems.slice(0, 5).map((problem) => `  ${safeLine(problem.what)}`),
    ]);
    if (witnessed === undefined) {
      frame.terminal.say("Nobody outside was asked how far the ledger had come: entries since the backup may be missing. See --witnessed.");
    }
    if (!verified) {
      frame.terminal.say("No server starts on it.");
      return 1;
    }
    frame.terminal.say("Servers may start on it, with the master key of then.");
    return 0;
  } finally {
    await owner.close();
  }
}

async function readNote(file: string): Promise<string> {
  try {
    const text = await readFile(file, "utf8");
    // As the server shows it, or the note alone.
    return text.startsWith("{") ? z.object({ note: z.string() }).parse(JSON.parse(text)).note : text;
  } catch (cause) {
    throw new RemitError("invalid-request", `The checkpoint ${file} cannot be read.`, { cause });
  }
}
