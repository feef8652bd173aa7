import { ledgerKeysViewSchema } from "@remit/contract";
import type { LedgerKeysView } from "@remit/contract";
import type { Command } from "commander";
import { example } from "../frame/command.ts";
import type { Run } from "../frame/command.ts";
import type { Frame } from "../frame/frame.ts";
import { safeLine } from "../terminal/safe-text.ts";

/** The keys that sign the ledger. What is in it: `remit audit`. */
export function defineLedger(command: Command, run: Run): void {
  const keys = command
    .command("keys")
    .description("the keys that sign the ledger's checkpoints, now and before, and the entries that say so")
    .action(() => run(showKeys));
  example(keys, "remit ledger keys", "remit ledger keys --json");

  const rotate = command
    .command("rotate-key")
    .description("replace them: first old and new ones sign, then, with --finish, only the new ones")
    .option("--finish", "the old keys no longer sign; only once every witness and verifier knows the new ones")
    .action((options: { finish?: true }) => run((frame) => rotateKey(frame, options)));
  example(rotate, "remit ledger rotate-key", "remit ledger rotate-key --finish");
}

async function showKeys(frame: Frame): Promise<void> {
  const client = await frame.client();
  const view = await client.send({ path: "/v1/audit/keys", response: ledgerKeysViewSchema });
  frame.terminal.answer(view, () => keyLines(view));
}

async function rotateKey(frame: Frame, options: { finish?: true }): Promise<void> {
  const client = await frame.client();
  const step = options.finish === true ? "finish" : "begin";
  const view = await client.send({ method: "POST", path: "/v1/audit/keys/rotate", body: { step }, response: ledgerKeysViewSchema });
  frame.terminal.answer(view, () => keyLines(view));
  if (step === "begin") {
    frame.terminal.say(`Give every witness and verifier the new key, then: ${frame.hint("ledger rotate-key --finish")}`);
  }
}

function keyLines({ origin, keys }: LedgerKeysView): string[] {
  const place = ({ seq, entryId }: { seq: number | null; entryId: string }): string => (seq === null ? entryId : `entry ${seq}`);
  return [
    `ledger ${safeLine(origin)}`,
    ...keys.map(
      (key) =>
        `  ${key.state.padEnd(8)} ${safeLine(key.vkey)}  since ${place(key.since)}${key.retired === null ? "" : `, until ${place(key.retired)}`}${key.held === "command" ? ", held by a program" : ""}`,
    ),
  ];
}
