import type { Detector, Json } from "@remit/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import { detect, detectors } from "./detect.ts";
import { redactText, redactValue, redactedText } from "./redact.ts";

const everything: ReadonlySet<Detector> = new Set(detectors);

/** What is read of a text is counted: how long something takes must not be left to a clock. */
class CountedText {
  read = 0;
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
  get length(): number {
    return this.text.length;
  }
  charCodeAt(at: number): number {
    this.read += 1;
    return this.text.charCodeAt(at);
  }
  startsWith(prefix: string, at: number): boolean {
    this.read += 1;
    return this.text.startsWith(prefix, at);
  }
  slice(from: number, to: number): string {
    this.read += Math.max(0, Math.min(to, this.text.length) - from);
    return this.text.slice(from, to);
  }
  indexOf(needle: string, from: number): number {
    const at = this.text.indexOf(needle, from);
    this.read += (at === -1 ? this.text.length : at) - from;
    return at;
  }
  lastIndexOf(needle: string, from: number): number {
    const at = this.text.lastIndexOf(needle, from);
    this.read += from - Math.max(at, 0);
    return at;
  }
}

function reads(text: string): number {
  const counted = new CountedText(text);
  detect(counted as unknown as string, everything);
  return counted.read;
}

const hostile = [
  "1", "1 ", "4111 ", "4111-1111-1111-1112 ", "sk-", "sk-a", "ghp_", "ghp_a-", "eyJ", "eyJ-", "eyJa.", "eyJaaaaaaaaaaaa.", "eyJaaaaaaaaaaaa.b", "-----BEGIN ",
  "-----BEGIN A PRIVATE KEY-----", "-----BEGIN PRIVATE KEY BLOCK", "-----END ", "-", "token=", "token: ", 'token="', "token=\"a\\", "password:", "_password=", "a@", "@", "a.b@c.", "@a.", ".@",
  "DE89 ", "DE89", "DE 8", "GB82WEST", "://", "://a:", "://a:b", "bearer ", "basic a", "𝟒", "𝟒 ", "٤", "٤ ", "_", "a", "a.", "Ａ", "\u200b", "1\u200b", "[redacted]", "token=[redacted",
]; // prettier-ignore

test.each(hostile)("[DAT-14] the work grows with the text and no faster, of %j over and over", (unit) => {
  const of = (length: number): number => reads(unit.repeat(Math.ceil(length / unit.length)));
  const [short, long] = [of(4_000), of(64_000)];
  // Sixteen times the text; and never more than so many looks at a character.
  expect(long / short).toBeLessThan(24);
  expect(long / 64_000).toBeLessThan(400);
});

test("[DAT-14] whatever the text, findings are in order, apart and within it; and what is not found stays as it was", () => {
  const piece = fc.oneof(
    fc.constantFrom(...hostile, "4111 1111 1111 1111", "DE89370400440532013000", "kim@example.org"),
    fc.string({ unit: "grapheme" }),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (parts) => {
      const text = parts.join("");
      let at = 0;
      let rest = "";
      for (const { from, to } of detect(text, everything)) {
        expect(from).toBeGreaterThanOrEqual(at);
        expect(to).toBeGreaterThan(from);
        rest += text.slice(at, from) + redactedText;
        at = to;
      }
      expect(at).toBeLessThanOrEqual(text.length);
      expect(redactText(text, everything)).toBe(rest + text.slice(at));
    }),
  );
});

const separators = fc.constantFrom("", " ", "-", ".", "\u00a0", "\u2011", "\u200b", "\u00ad", "/", "_", " - ");
const scripts = fc.constantFrom(48, 0x660, 0x966, 0xff10, 0x1d7ce);

/** 15 digits of a Visa card and the one that makes it right. */
const cards = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 14, maxLength: 14 }).map((rest) => {
  const digits = [4, ...rest];
  const sum = digits
    .toReversed()
    .reduce((total, digit, index) => total + (index % 2 === 0 ? (digit > 4 ? digit * 2 - 9 : digit * 2) : digit), 0);
  return [...digits, (10 - (sum % 10)) % 10];
});

test("[DAT-14] a card is found in any script and however it is split, and is one no more when a digit is another", () => {
  fc.assert(
    fc.property(cards, separators, scripts, fc.integer({ min: 0, max: 15 }), (digits, separator, zero, changed) => {
      fc.pre(new Set(digits).size > 1);
      const written = (of: readonly number[]): string =>
        [0, 4, 8, 12]
          .map((start) =>
            of
              .slice(start, start + 4)
              .map((digit) => String.fromCodePoint(zero + digit))
              .join(""),
          )
          .join(separator);
      expect(redactText(`card ${written(digits)}, please`)).toBe(`card ${redactedText}, please`);
      const other = digits.with(changed, ((digits[changed] ?? 0) + 1) % 10);
      expect(redactText(`card ${written(other)}, please`)).toBe(`card ${written(other)}, please`);
    }),
  );
});

test("[DAT-14] an IBAN with one character changed is none", () => {
  const iban = "GB82WEST12345698765432";
  expect(redactText(`to ${iban}`)).toBe(`to ${redactedText}`);
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 21 }), fc.integer({ min: 1, max: 9 }), (at, by) => {
      const code = iban.charCodeAt(at);
      const other = code < 58 ? String((code - 48 + by) % 10) : String.fromCharCode(65 + ((code - 65 + by) % 26));
      const changed = iban.slice(0, at) + other + iban.slice(at + 1);
      expect(redactText(`to ${changed}`)).toBe(`to ${changed}`);
    }),
  );
});

const call: Json = {
  to: "kim@example.org",
  order: { id: 20391, card: 4111111111111111, lines: [{ sku: "A", note: "x" }, { note: "y" }] },
  token: "abc",
  "4111 1111 1111 1111": 1,
};

test("[DAT-14] what a tool does not declare to be loggable does not get out, not even its name", () => {
  expect(redactValue(call, { allow: ["/order/id", "/order/lines/*/sku"] })).toEqual({
    order: { id: 20391, lines: [{ sku: "A" }, redactedText] },
  });
  expect(redactValue(call, { allow: [] })).toEqual({});
  expect(redactValue(call, { allow: ["/nothing"] })).toEqual({});
  // What is declared is looked at all the same.
  expect(redactValue(call, { allow: ["/order/card", "/token"] })).toEqual({ order: { card: redactedText }, token: redactedText });
  fc.assert(
    fc.property(fc.jsonValue(), fc.string({ minLength: 1 }), (value, name) => {
      expect(redactValue(value as Json, { allow: [`/never-${name.replaceAll(/[~/]/g, "")}`] })).toEqual({});
    }),
  );
});

test("[DAT-14] without a list, what has a shape or a checksum is replaced in values, names and numbers, and the rest is the same object", () => {
  expect(redactValue(call, {})).toEqual({
    ...call,
    order: { id: 20391, card: redactedText, lines: [{ sku: "A", note: "x" }, { note: "y" }] },
    token: redactedText,
    "4111 1111 1111 1111": undefined,
    [redactedText]: 1,
  });
  expect(redactValue(call, { detect: new Set(["email"]) })).toEqual({ ...call, to: redactedText });
  const clean: Json = { body: "hello", nested: [{ n: 1 }] };
  expect(redactValue(clean, {})).toBe(clean);
  expect(JSON.stringify(redactValue(JSON.parse('{"__proto__": {"password": "hunter22"}}') as Json, {}))).toBe(
    '{"__proto__":{"password":"[redacted]"}}',
  );
});
