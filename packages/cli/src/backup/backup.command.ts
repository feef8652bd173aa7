import { access } from "node:fs/promises";
import { resolve } from "node:path";
import { RemitError } from "@remit/contract";
import type { Command } from "commander";
import { example } from "../frame/command.ts";
import type { Run } from "../frame/command.ts";
import type { Frame } from "../frame/frame.ts";
import { databaseOf } from "./database-of.ts";

type BackupOptions = { output: string; dataDir?: string; force?: true };

export function defineBackup(command: Command, run: Run): void {
  command
    .description("copy everything that the database holds, as of one moment, to one file; servers go on meanwhile")
    .requiredOption("-o, --output <file>", "write it there")
    .option("--data-dir <folder>", "whose database, where DATABASE_URL names none (default: REMIT_DATA_DIR, else .remit here)")
    .option("--force", "replace the file, if there is one")
    .action((options: BackupOptions) => run((frame) => backup(frame, options)));
  example(command, "remit backup -o remit-2026-11-21.backup", "DATABASE_URL=postgres://… remit backup -o remit.backup");
}

async function backup(frame: Frame, options: BackupOptions): Promise<void> {
  const file = resolve(frame.around.cwd, options.output);
  const exists = await access(file).then(
    () => true,
    () => false,
  );
  if (exists && options.force !== true) throw new RemitError("conflict", `${file} is there already; name another, or pass --force.`);
  const { backUp, openOwnerConnection } = await import("@remit/server");
  const owner = await openOwnerConnection(databaseOf(frame.around, options.dataDir));
  try {
    const taken = await backUp({ url: owner.url, file });
    const root = taken.root === null ? "" : `, root ${taken.root}`;
    frame.terminal.answer(taken, () => [
      `${taken.file}: ${taken.tables} tables, ${taken.bytes} bytes, as of ${taken.takenAt}`,
      `ledger: ${taken.entries} entries${root}`,
    ]);
    frame.terminal.say("The master key is not in it: keep it elsewhere. Without it nothing that is sealed can be read again.");
  } finally {
    await owner.close();
  }
}
