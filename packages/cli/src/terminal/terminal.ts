import { styleText } from "node:util";
import type { Readable, Writable } from "node:stream";
import { safeJson } from "./safe-text.ts";

/** The world around one command, as values, so that a test can be one. */
export type Surroundings = {
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
  stdin: Readable & { isTTY?: boolean };
  stdout: Writable & { isTTY?: boolean; columns?: number };
  stderr: Writable & { isTTY?: boolean; columns?: number };
  /** Ctrl-C, SIGTERM and SIGHUP: the first asks for an orderly end, the second insists. */
  interruption(): { asked: AbortSignal; insisted: AbortSignal };
};

export type Style = "bold" | "dim" | "green" | "red" | "yellow" | "cyan";

/** Where a command writes: data to stdout, words about it to stderr. */
export type Terminal = {
  json: boolean;
  /** May a person be asked something? */
  interactive: boolean;
  columns: number;
  /** The answer of a command: words, or with `--json` the value itself, as one document on one line. */
  answer(value: unknown, words: () => readonly string[]): void;
  /** One line of data, as it is: the caller has made it safe. */
  line(text: string): void;
  /** A message to the person; nothing with `--quiet` or `--json`. */
  say(message: string): void;
  /** A message that even `--quiet` does not suppress. */
  warn(message: string): void;
  style(style: Style, text: string): string;
};

export function createTerminal(around: Surroundings, options: { json: boolean; quiet: boolean }): Terminal {
  const { env, stdout, stderr, stdin } = around;
  const forced = env["FORCE_COLOR"];
  const colour =
    !options.json &&
    (env["NO_COLOR"] ?? "") === "" &&
    (forced !== undefined ? forced !== "0" : stdout.isTTY === true) &&
    env["TERM"] !== "dumb";
  return {
    json: options.json,
    interactive: !options.json && stdin.isTTY === true && stderr.isTTY === true,
    columns: Math.max(stdout.columns ?? Number(env["COLUMNS"] ?? 120), 40) || 120,
    answer(value, words) {
      if (options.json) stdout.write(`${safeJson(value)}\n`);
      else for (const line of words()) stdout.write(`${line}\n`);
    },
    line(text) {
      stdout.write(`${text}\n`);
    },
    say(message) {
      if (!options.quiet && !options.json) stderr.write(`${message}\n`);
    },
    warn(message) {
      if (!options.json) stderr.write(`${message}\n`);
    },
    style: (style, text) => (colour ? styleText(style, text, { validateStream: false }) : text),
  };
}
