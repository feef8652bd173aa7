import { StringDecoder } from "node:string_decoder";
import { printable } from "../log/printable.ts";

const maxLines = 50;
const maxLineLength = 500;

/** The last words of a child process, as text that is safe to print. */
export type StderrRing = { push(chunk: Buffer): void; lines(): string[] };

/**
 * @param secrets values that must not be repeated, by the name to print in their place
 * @param onLine told every line
 */
export function createStderrRing(secrets: Readonly<Record<string, string>>, onLine: (line: string) => void): StderrRing {
  const decoder = new StringDecoder("utf8");
  // Short values (`1`, `true`, `en`) are settings, not secrets, and would blot out ordinary text.
  const hidden = Object.entries(secrets).filter(([, value]) => value.length >= 8);
  const lines: string[] = [];
  let rest = "";

  function clean(raw: string): string {
    let line = raw;
    for (const [name, value] of hidden) line = line.replaceAll(value, `[${name}]`);
    return printable(line).slice(0, maxLineLength);
  }

  function add(raw: string): void {
    const line = clean(raw);
    if (line.trim() === "") return;
    lines.push(line);
    if (lines.length > maxLines) lines.shift();
    onLine(line);
  }

  return {
    push(chunk) {
      const parts = (rest + decoder.write(chunk)).split("\n");
      rest = parts.pop() ?? "";
      for (const part of parts) add(part);
      // A line without an end must not grow without one.
      if (rest.length > maxLineLength * 4) {
        add(rest);
        rest = "";
      }
    },
    lines: () => (rest.trim() === "" ? [...lines] : [...lines, clean(rest)]),
  };
}
