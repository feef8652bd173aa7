import type { Command } from "commander";
import type { Frame } from "./frame.ts";

/** Does the work of a command; a number is its exit code, nothing is 0. */
type Work = (frame: Frame) => Promise<number | void>;

/** Runs work inside the frame: settings, failure and exit code are the same everywhere. */
export type Run = (work: Work) => Promise<void>;

/** Fills in a command of which only name and summary were known so far. */
export type DefineCommand = (command: Command, run: Run) => void;

/** Adds examples to a command's help. */
export function example(command: Command, ...lines: readonly string[]): Command {
  return command.addHelpText("after", `\nExample${lines.length === 1 ? "" : "s"}:\n${lines.map((line) => `  $ ${line}`).join("\n")}\n`);
}
