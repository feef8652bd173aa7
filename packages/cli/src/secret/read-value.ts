import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { RemitError } from "@remit/contract";
import type { Frame } from "../frame/frame.ts";

const maxLength = 64 * 1024;

/**
 * The value of a secret: from a file, else from stdin, else typed by a person without an echo. Never from the command line, which every
 * program on the machine can read and every shell keeps.
 * @throws RemitError `invalid-request`
 */
export async function readValue(frame: Frame, file: string | undefined): Promise<string> {
  const { around, terminal } = frame;
  const value =
    file !== undefined && file !== "-"
      ? await readFile(resolve(around.cwd, file), "utf8").catch((error: unknown) => {
          throw new RemitError("invalid-request", `The file ${file} cannot be read`, { cause: error });
        })
      : terminal.interactive && file !== "-"
        ? await typed(frame)
        : await piped(around.stdin);
  // The end of a line that `echo` and editors put there is no part of it.
  const trimmed = value.replace(/\r?\n$/, "");
  if (trimmed === "") throw new RemitError("invalid-request", "The value is empty: pipe it in, or name a file with --file.");
  return trimmed;
}

async function piped(stdin: AsyncIterable<unknown>): Promise<string> {
  let text = "";
  for await (const chunk of stdin) {
    text += String(chunk);
    if (text.length > maxLength) throw new RemitError("too-large", "A secret has at most 64 KiB.");
  }
  return text;
}

async function typed({ around, terminal }: Frame): Promise<string> {
  const ask = hiddenLines(around);
  const first = await ask("Value (not shown): ");
  if ((await ask("Again: ")) === first) return first;
  terminal.warn("Those were two different values; nothing was kept.");
  throw new RemitError("invalid-request", "The two values differ");
}

type Keyboard = Frame["around"]["stdin"] & { setRawMode?: (on: boolean) => unknown };

/** Asks for lines that are not echoed, one after the other. */
function hiddenLines(around: Frame["around"]): (question: string) => Promise<string> {
  const stdin: Keyboard = around.stdin;
  // What was typed past the end of a line belongs to the next.
  let ahead = "";

  async function line(): Promise<string> {
    let text = "";
    for (;;) {
      const typed = Array.from(ahead);
      ahead = "";
      for (const [index, character] of typed.entries()) {
        if (character === "\r" || character === "\n") {
          ahead = typed.slice(index + 1).join("");
          return text;
        }
        if (character === "\u0003" || character === "\u0004") throw new RemitError("invalid-request", "Nothing was kept");
        text = character === "\u007f" || character === "\b" ? text.slice(0, -1) : text + character;
      }
      if (text.length > maxLength) throw new RemitError("too-large", "A secret has at most 64 KiB.");
      const chunk = await nextChunk(stdin);
      if (chunk === null) throw new RemitError("invalid-request", "Nothing was typed");
      ahead = chunk;
    }
  }

  return async (question) => {
    around.stderr.write(question);
    stdin.setRawMode?.(true);
    try {
      return await line();
    } finally {
      stdin.setRawMode?.(false);
      around.stderr.write("\n");
    }
  };
}

function nextChunk(stdin: Keyboard): Promise<string | null> {
  if (stdin.readableEnded || stdin.destroyed) return Promise.resolve(null);
  return new Promise((resolve) => {
    const finish = (chunk: string | null) => {
      stdin.off("data", data);
      stdin.off("end", end);
      stdin.pause();
      resolve(chunk);
    };
    const data = (chunk: unknown) => finish(String(chunk));
    const end = () => finish(null);
    stdin.once("data", data);
    stdin.once("end", end);
    stdin.resume();
  });
}
