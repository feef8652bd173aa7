const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Standard base64 with padding (RFC 4648, 4). */
export function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (let start = 0; start < bytes.length; start += 3) {
    const [first = 0, second = 0, third = 0] = bytes.subarray(start, start + 3);
    const bits = (first << 16) | (second << 8) | third;
    const digits = [18, 12, 6, 0].map((shift) => alphabet.charAt((bits >> shift) & 63)).join("");
    text += digits.slice(0, Math.min(4, bytes.length - start + 1)).padEnd(4, "=");
  }
  return text;
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
