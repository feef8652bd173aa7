import type { Json } from "@remit/contract";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { canonicalJson, maxDepth } from "./canonical-json.ts";

/** A JSON value whose numbers all have a canonical form. */
const json = fc.jsonValue({ maxDepth: 5, noUnicodeString: false }).map((value) => JSON.parse(JSON.stringify(value), strict) as Json);

function strict(_key: string, value: unknown): unknown {
  if (typeof value === "number" && (Object.is(value, -0) || (Number.isInteger(value) && !Number.isSafeInteger(value)))) return 0;
  if (typeof value === "string") return value.toWellFormed();
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key.toWellFormed(), child]));
}

function reversed(value: Json): Json {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, child]) => [key, reversed(child)]),
  );
}

test("it says the same value again, whatever the order of members, and is a fixed point", () => {
  fc.assert(
    fc.property(json, (value) => {
      const text = canonicalJson(value);
      expect(JSON.parse(text)).toEqual(value);
      expect(canonicalJson(reversed(value))).toBe(text);
      expect(canonicalJson(JSON.parse(text) as Json)).toBe(text);
    }),
  );
});

test("members are sorted by UTF-16 code unit, as RFC 8785 has it, numeric names as well", () => {
  // Unescaped, an editor may normalise the last one into two characters that sort elsewhere.
  const last = "\ufb33";
  const value = { [last]: 5, "10": 1, "9": 2, "€": 3, "😀": 4, "": 6 };
  expect(canonicalJson(value)).toBe(`{"":6,"10":1,"9":2,"€":3,"😀":4,"${last}":5}`);
  expect(canonicalJson([1e21 / 1e15, 0.1, 1e-7, '\u2028\u0007"\\'])).toBe('[1000000,0.1,1e-7,"\u2028\\u0007\\"\\\\"]');
});

const refused: [string, unknown, string][] = [
  ["a lone surrogate", { a: ["\ud800"] }, "/a/0"],
  ["a lone surrogate in a name", { a: { "\udfff": 1 } }, "/a"],
  ["infinity", { "x/y~z": Infinity }, "/x~1y~0z"],
  ["negative zero", [-0], "/0"],
  ["an integer that two readers could read differently", { n: 2 ** 53 }, "/n"],
  ["a date", { at: new Date(0) }, "/at"],
  ["undefined", { a: undefined }, "/a"],
  ["a bigint", 1n, ""],
];

test.each(refused)("%s is refused, with its pointer", (_, value, pointer) => {
  expect(() => canonicalJson(value as Json)).toThrow(
    expect.objectContaining({ code: "invalid-arguments", issues: [expect.objectContaining({ pointer })] }),
  );
});

test("depth is bounded", () => {
  const nest = (depth: number): Json => (depth === 0 ? 1 : [nest(depth - 1)]);
  expect(canonicalJson(nest(maxDepth))).toHaveLength(2 * maxDepth + 1);
  expect(() => canonicalJson(nest(maxDepth + 1))).toThrow(/nesting deeper/);
});
