import { Readable, Writable } from "node:stream";
import type { Surroundings } from "./terminal.ts";

export type TestSurroundings = Surroundings & {
  /** What was printed so far. */
  out(): string;
  err(): string;
  interrupt(): void;
  insist(): void;
};

/** Surroundings of a command in a test: no terminal unless `answers` are typed at one. */
export function testSurroundings(
  options: { env?: Record<string, string>; cwd?: string; answers?: string; columns?: number } = {},
): TestSurroundings {
  const typed = options.answers;
  const stdout = recorder(typed !== undefined, options.columns);
  const stderr = recorder(typed !== undefined, options.columns);
  const asked = new AbortController();
  const insisted = new AbortController();
  return {
    env: { NO_COLOR: "1", ...options.env },
    cwd: options.cwd ?? "/",
    stdin: Object.assign(Readable.from(typed === undefined ? [] : [typed]), { isTTY: typed !== undefined }),
    stdout,
    stderr,
    interruption: () => ({ asked: asked.signal, insisted: insisted.signal }),
    out: () => stdout.text.join(""),
    err: () => stderr.text.join(""),
    interrupt: () => asked.abort(),
    insist: () => insisted.abort(),
  };
}

function recorder(isTTY: boolean, columns = 100) {
  const text: string[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text.push(chunk.toString());
      done();
    },
  });
  return Object.assign(stream, { text, isTTY, columns });
}
