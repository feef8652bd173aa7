import { userInfo } from "node:os";
import type { Command } from "commander";
import { databaseOf } from "../backup/database-of.ts";
import { example } from "../frame/command.ts";
import type { Run } from "../frame/command.ts";
import type { Frame } from "../frame/frame.ts";
import { chosenDataDir } from "../up/data-dir.ts";

type RotateOptions = { dataDir?: string };

export function defineMasterKey(command: Command, run: Run): void {
  const rotate = command
    .command("rotate")
    .description("seal everything anew with another master key; no server may be running, and what was cut short goes on")
    .option(
      "--data-dir <folder>",
      "whose master.key and, where DATABASE_URL names none, database (default: REMIT_DATA_DIR, else .remit here)",
    )
    .action((options: RotateOptions) => run((frame) => rotateKey(frame, options)));
  example(
    rotate,
    "remit master-key rotate",
    "REMIT_MASTER_KEY=… REMIT_NEXT_MASTER_KEY=… DATABASE_URL=postgres://… remit master-key rotate",
  );
}

async function rotateKey(frame: Frame, options: RotateOptions): Promise<void> {
  const { around, terminal } = frame;
  const { openKeyChange, openOwnerConnection, rotateMasterKey } = await import("@remit/server");
  const change = await openKeyChange({
    environment: around.env,
    dataDirectory: chosenDataDir(around, options.dataDir),
    now: () => new Date(),
  });
  const where = databaseOf(around, options.dataDir);
  const owner = await openOwnerConnection(where);
  try {
    const rotated = await rotateMasterKey({
      url: owner.url,
      ownsCluster: where.url === undefined,
      from: change.from,
      to: change.to,
      by: userInfo().username,
      onError: (error) => terminal.say(error instanceof Error ? error.message : String(error)),
    });
    const kept = await change.replace();
    terminal.answer({ ...rotated, kept }, () => [
      rotated === null
        ? "Everything was sealed with the new master key already."
        : `${rotated.resealed} values are sealed with master key ${rotated.version}; the one before opens nothing here any more.`,
    ]);
    if (rotated?.rewritten === false) terminal.say("Bytes of before are still in files of the database; servers go on removing them.");
    terminal.say(
      kept === null
        ? "Start every server with the new key in REMIT_MASTER_KEY."
        : `The key of before is in ${kept}. Backups of before open with it alone: destroy it, and nobody opens them again.`,
    );
    terminal.say("Then make a backup. Scrapers need the new metrics.token, and clients in the middle of something begin it again.");
  } finally {
    await owner.close();
  }
}
