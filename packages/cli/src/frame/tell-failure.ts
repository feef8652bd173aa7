import { errorTable, RemitError } from "@remit/contract";
import { asRemitError, failureLines } from "../terminal/failure.ts";
import type { Surroundings } from "../terminal/terminal.ts";

/** Prints a failure, or a message about how a command was called, and returns its exit code. */
export function tellFailure(thrown: unknown, around: Surroundings, json: boolean): number {
  const failure = typeof thrown === "string" ? new RemitError("invalid-request", thrown) : asRemitError(thrown);
  for (const line of failureLines(failure, json)) around.stderr.write(`${line}\n`);
  // Only a slip of ours needs the place in the program.
  if (failure.code === "internal" && around.env["REMIT_DEBUG"] !== undefined && thrown instanceof Error) {
    around.stderr.write(`${thrown.stack ?? ""}\n`);
  }
  return errorTable[failure.code].exit;
}
