const sentinel = /^=\?base64\?(.*)\?=$/s;
const plain = /^[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?$/;

/** MCP 2026-07-28, Streamable HTTP, Value Encoding: what is no plain header value travels as `=?base64?…?=`. */
export function encodeHeaderValue(value: string): string {
  return plain.test(value) && !sentinel.test(value) ? value : `=?base64?${Buffer.from(value, "utf8").toString("base64")}?=`;
}

/** The value that a header stands for; null when it is no valid header value. */
export function decodeHeaderValue(header: string): string | null {
  const encoded = sentinel.exec(header)?.[1];
  if (encoded === undefined) return header === "" || plain.test(header) ? header : null;
  const bytes = Buffer.from(encoded, "base64");
  // Buffer ignores what is not Base64; two encodings of one value would let two readers disagree.
  if (bytes.toString("base64") !== encoded) return null;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}
