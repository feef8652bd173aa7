const newline = 0x0a;
const keptOfOverlong = 256;

/** Cuts a byte stream into lines. A line over the limit is not kept: only its beginning and its end are told. */
export type LineReader = { push(chunk: Buffer): void };

export function createLineReader(
  maxBytes: number,
  handlers: { line(text: string): void; overlong(beginning: string, end: string): void },
): LineReader {
  let parts: Buffer[] = [];
  let length = 0;
  let head: string | null = null;
  let tail = Buffer.alloc(0);

  function keep(part: Buffer): void {
    if (head === null) {
      parts.push(part);
      length += part.length;
      if (length <= maxBytes) return;
      const whole = Buffer.concat(parts);
      head = whole.toString("latin1", 0, keptOfOverlong);
      tail = Buffer.from(whole.subarray(-keptOfOverlong));
      parts = [];
      length = 0;
      return;
    }
    tail = Buffer.concat([tail, part.subarray(-keptOfOverlong)]).subarray(-keptOfOverlong);
  }

  function end(): void {
    if (head === null) {
      const only = parts.length === 1 ? parts[0] : Buffer.concat(parts);
      parts = [];
      length = 0;
      handlers.line(only?.toString("utf8") ?? "");
      return;
    }
    const beginning = head;
    head = null;
    handlers.overlong(beginning, tail.toString("latin1"));
  }

  return {
    push(chunk) {
      let start = 0;
      for (let index = chunk.indexOf(newline); index !== -1; index = chunk.indexOf(newline, start)) {
        // Most lines come whole: nothing of them has to be kept.
        if (parts.length === 0 && head === null && index - start <= maxBytes) handlers.line(chunk.toString("utf8", start, index));
        else {
          keep(chunk.subarray(start, index));
          end();
        }
        start = index + 1;
      }
      if (start < chunk.length) keep(chunk.subarray(start));
    },
  };
}
