import type { Readable } from "node:stream";
import { StringDecoder } from "node:string_decoder";
import { safeLine } from "../terminal/safe-text.ts";

const longestLine = 4_000;
const mostText = 1_048_576;
const pauseMs = 20;

/**
 * Hands on what a program prints, line by line, made safe to show. A program that floods is read more slowly and, past one MiB,
 * no longer shown: it may fill neither the terminal nor the memory of whoever watches it.
 */
export function forwardOutput(stream: Readable, show: (line: string) => void): void {
  const decoder = new StringDecoder("utf8");
  let pending = "";
  let shown = 0;
  let cut = false;

  function line(text: string): void {
    if (shown > mostText) return;
    shown += text.length + 1;
    if (shown > mostText) show("(more than 1 MiB of output; the rest is not shown)");
    else show(safeLine(text.replace(/\r$/, "")));
  }

  function take(text: string): void {
    const lines = (pending + text).split("\n");
    pending = lines.pop() ?? "";
    for (const [index, one] of lines.entries()) {
      // The rest of a line whose beginning was shown already.
      if (index === 0 && cut) cut = false;
      else line(one.length > longestLine ? `${one.slice(0, longestLine)} … (${one.length - longestLine} more characters)` : one);
    }
    if (pending.length > longestLine) {
      if (!cut) line(`${pending.slice(0, longestLine)} … (a longer line)`);
      cut = true;
      pending = "";
    }
  }

  stream.on("data", (chunk: Buffer) => {
    if (shown <= mostText) return take(decoder.write(chunk));
    stream.pause();
    setTimeout(() => stream.resume(), pauseMs).unref();
  });
  stream.on("end", () => {
    take(decoder.end());
    if (pending !== "" && !cut) line(pending);
  });
  stream.on("error", () => undefined);
}
