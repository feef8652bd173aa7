const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Standard base64 with padding (RFC 4648, 4). */
export function toBase64(bytes: Uint8Array): string {
  const { length } = bytes;
  let text = "";
  // By index: parts and lists of them, for every three bytes, were more to collect than all else of a checkpoint.
  for (let at = 0; at < length; at += 3) {
    const bits = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    text += digit(bits >> 18) + digit(bits >> 12) + (at + 1 < length ? digit(bits >> 6) : "=") + (at + 2 < length ? digit(bits) : "=");
  }
  return text;
}

function digit(bits: number): string {
  return alphabet.charAt(bits & 63);
}

/** Null unless the text is exactly what {@link toBase64} writes: one value has one text. */
export function fromBase64(text: string): Uint8Array | null {
  const bytes: number[] = [];
  for (let start = 0; start < text.length; start += 4) {
    let bits = 0;
    for (const digit of text.slice(start, start + 4).padEnd(4, "=")) {
      const value = digit === "=" ? 0 : alphabet.indexOf(digit);
      if (value < 0) return null;
      bits = (bits << 6) | value;
    }
    bytes.push((bits >> 16) & 255, (bits >> 8) & 255, bits & 255);
  }
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const value = Uint8Array.from(bytes.slice(0, bytes.length - padding));
  return toBase64(value) === text ? value : null;
}
