import { RemitError } from "@remit/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Element, type ElementType, binaryArray } from "./binary-array.ts";
import { openTestDatabase } from "./testing.ts";

const text = fc.string({ unit: "binary" }).map((word) => word.replaceAll("\0", ""));
const json = fc.json().map((word) => word.replaceAll("\\u0000", ""));
const time = fc.date({ min: new Date("1970-01-01T00:00:00Z"), max: new Date("9999-12-31T23:59:59Z"), noInvalidDate: true });

/** Elements, and what PostgreSQL's own words for each are read as. */
const elements: Record<ElementType, fc.Arbitrary<Exclude<Element, null>>> = {
  text: fc.oneof(text, fc.constant("\ud800 alone"), fc.constantFrom("", "NULL", '{"a,b"}', "\\x00", "é€😀")),
  json,
  jsonb: json,
  bytea: fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  bigint: fc.maxSafeInteger(),
  timestamptz: fc.oneof(
    time,
    time.map((date) => date.toISOString()),
  ),
};

test("an array in binary form holds what its elements are by themselves, each at its place", async () => {
  await using test = await openTestDatabase();
  for (const [type, element] of Object.entries(elements) as [ElementType, fc.Arbitrary<Exclude<Element, null>>][]) {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.option(element, { nil: null }), { maxLength: 12 }), async (values) => {
        const places = values.map(
          (_, index) => `($1::${type}[])[${index + 1}]::text AS a${index}, $${index + 2}::${type}::text AS b${index}`,
        );
        const [row] = await test.database.query<Record<string, string | null>>(
          `SELECT cardinality($1::${type}[])::text AS length${places.map((place) => `, ${place}`).join("")}`,
          [binaryArray(type, values), ...values],
        );
        const empty = values.every((value) => value === null);
        expect(row?.["length"]).toBe(empty ? null : String(values.length));
        for (const index of values.keys()) expect(row?.[`a${index}`]).toBe(row?.[`b${index}`]);
      }),
      { numRuns: 20 },
    );
  }
});

test("U+0000 is refused by PostgreSQL, as it is in a value by itself", async () => {
  await using test = await openTestDatabase();
  await expect(test.database.query("SELECT $1::text[]", [binaryArray("text", ["a\0b"])])).rejects.toMatchObject({ code: "22021" });
  await expect(test.database.query("SELECT $1::text", ["a\0b"])).rejects.toMatchObject({ code: "22021" });
});

test.each<[ElementType, Element]>([
  ["bigint", 1.5],
  ["bigint", Number.NaN],
  ["bigint", 2 ** 53],
  ["bigint", "1"],
  ["timestamptz", "2026-02-30T00:00:00.000Z"],
  ["timestamptz", "yesterday"],
  ["timestamptz", new Date(Number.NaN)],
  ["timestamptz", 0],
  ["text", 1],
  ["text", Buffer.from("a")],
  ["bytea", 1],
])("no %s is made of %s", (type, value) => {
  expect(() => binaryArray(type, [value])).toThrow(RemitError);
});

test("a time that follows others of its second is the time that its Date is, or is refused", () => {
  const letters = fc.constantFrom(...Array.from("0123456789:.TZ+- x\u0660"));
  const change = fc.option(fc.tuple(fc.integer({ min: 0, max: 23 }), letters), { nil: null });
  fc.assert(
    fc.property(time, fc.array(fc.tuple(fc.integer({ min: 0, max: 999 }), change), { maxLength: 20 }), (first, others) => {
      const second = Math.floor(first.getTime() / 1000) * 1000;
      for (const [milliseconds, changed] of others) {
        const word = new Date(second + milliseconds).toISOString();
        const text = changed === null ? word : word.slice(0, changed[0]) + changed[1] + word.slice(changed[0] + 1);
        const date = new Date(text);
        const isTime = !Number.isNaN(date.getTime()) && date.toISOString() === text;
        if (isTime) expect(binaryArray("timestamptz", [text])).toEqual(binaryArray("timestamptz", [date]));
        else expect(() => binaryArray("timestamptz", [text])).toThrow(RemitError);
      }
    }),
    { numRuns: 300 },
  );
});
