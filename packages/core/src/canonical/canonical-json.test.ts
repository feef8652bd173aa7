import { inspect } from "node:util";
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

/** The form as it is defined, member by member; null where the value is refused. */
function defined(value: unknown, depth = 0): string | null {
  if (typeof value === "string") return value.isWellFormed() ? JSON.stringify(value) : null;
  if (typeof value === "number") {
    const isExact = Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value));
    return isExact && !Object.is(value, -0) ? String(value) : null;
  }
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value !== "object" || depth === maxDepth) return null;
  if (Array.isArray(value)) {
    const items = Array.from(value as unknown[], (item) => defined(item, depth + 1));
    return items.includes(null) ? null : `[${items.join(",")}]`;
  }
  if (![Object.prototype, null].includes(Object.getPrototypeOf(value) as null)) return null;
  const members = Object.entries(value)
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, child]): [string | null, string | null] => [defined(name), defined(child, depth + 1)]);
  return members.flat().includes(null) ? null : `{${members.map((member) => member.join(":")).join(",")}}`;
}

/** Whatever code could hand over, with names that objects hold in an order of their own, and members out of order. */
const anything = fc.letrec((tie) => {
  const name = fc.oneof(
    fc.string({ maxLength: 3, unit: "binary" }),
    fc.constantFrom("a", "b", "Z", "", "1", "10", "9", "00", "-1", "4294967295", "__proto__", "toJSON", "\\udfff", "\ud800"),
  );
  return {
    value: fc.oneof(
      { maxDepth: 5, withCrossShrink: true },
      fc.oneof(
        { weight: 30, arbitrary: fc.oneof(fc.integer(), fc.double(), fc.boolean(), fc.constant(null), fc.string({ unit: "binary" })) },
        { weight: 1, arbitrary: fc.constantFrom(-0, Number.NaN, 2 ** 53, "\udfff", "\\udfff", undefined, 1n, new Date(0), () => 1) },
      ),
      fc.array(tie("value"), { maxLength: 4 }),
      fc.array(fc.tuple(name, tie("value")), { maxLength: 30 }).map((members) => Object.fromEntries(members) as unknown),
      fc.dictionary(name, tie("value"), { maxKeys: 4, noNullPrototype: false }),
      fc.sparseArray(tie("value"), { maxLength: 3 }),
    ),
  };
}).value;

test("it is the form as it is defined, however the value came to be, or the value is refused; and the value is left as it was", () => {
  fc.assert(
    fc.property(anything, (value) => {
      const names = (): string => inspect(value, { depth: Infinity });
      const before = names();
      const expected = defined(value);
      if (expected === null) expect(() => canonicalJson(value as Json)).toThrow(expect.objectContaining({ code: "invalid-arguments" }));
      else expect(canonicalJson(value as Json)).toBe(expected);
      expect(names()).toBe(before);
    }),
    { numRuns: 1_000 },
  );
});

test("what is refused is the first that stands in order, and has its place named, among members that are sorted for writing", () => {
  expect(() => canonicalJson({ b: [{ z: -0 }], a: { "9": 1, "10": Infinity } })).toThrow(/^a number that is not finite at \/a\/10 /);
  expect(() => canonicalJson({ b: -0, a: "\ud800" })).toThrow(/^text with a lone surrogate at \/a /);
});

test("depth is bounded", () => {
  const nest = (depth: number): Json => (depth === 0 ? 1 : [nest(depth - 1)]);
  expect(canonicalJson(nest(maxDepth))).toHaveLength(2 * maxDepth + 1);
  expect(() => canonicalJson(nest(maxDepth + 1))).toThrow(/nesting deeper/);
});
