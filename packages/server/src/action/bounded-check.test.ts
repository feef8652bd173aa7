import type { JsonObject } from "@remit/contract";
import { describe, expect, test } from "vitest";
import { boundedCheck } from "./bounded-check.ts";
import { createNormaliser } from "./normalise.ts";

const pin = (inputSchema: JsonObject, outputSchema: JsonObject | null = null) => ({
  digest: JSON.stringify([inputSchema, outputSchema]),
  description: "",
  inputSchema,
  outputSchema,
});
const code = (pattern: string): JsonObject => ({ type: "object", properties: { code: { type: "string", pattern } } });

/** A value that nests so deeply. */
const nested = (depth: number): JsonObject => (depth === 0 ? {} : { x: nested(depth - 1) });
const twice = { type: "object", properties: { x: { $ref: "#/$defs/n" } }, required: ["x"] };

describe("[CTL-19][RUN-19] a schema that would take for ever ends, and the call is refused in words", () => {
  test.each<[string, JsonObject, JsonObject]>([
    ["a pattern with a quantified group", code("^(a+)+$"), { code: `${"a".repeat(40)}!` }],
    ["a pattern that tries everything from everywhere", code("a*a*a*a*b$"), { code: "a".repeat(20_000) }],
    ["names that have to fit one", { type: "object", patternProperties: { "^(x+x+)+y$": {} } }, { ["x".repeat(60)]: 1 }],
    ["alternatives of itself", { $ref: "#/$defs/n", $defs: { n: { anyOf: [twice, { ...twice, title: "again" }] } } }, nested(40)],
    ["itself and nothing else", { $ref: "#/$defs/n", $defs: { n: { anyOf: [{ $ref: "#/$defs/n" }] } } }, {}],
    [
      "a list whose items must differ",
      { type: "object", properties: { all: { type: "array", uniqueItems: true } } },
      { all: Array.from({ length: 50_000 }, (_, index) => [index]) },
    ],
  ])("%s", (_name, schema, value) => {
    expect(() => createNormaliser().arguments(pin(schema), value)).toThrow("takes too long");
  });

  test("of a result as well", () => {
    const schema = code("^(a+)+$");
    expect(createNormaliser().resultProblem(pin({}, schema), { code: `${"a".repeat(40)}!` })).toContain("takes too long");
  });
});

test("[CTL-19] a schema that cannot be compiled is refused, and not tried again with each call", () => {
  const normaliser = createNormaliser();
  const refusal = () => {
    try {
      return normaliser.arguments(pin(code("([")), {});
    } catch (error) {
      return error;
    }
  };
  const first = refusal();
  expect(first).toMatchObject({ code: "tool-changed", message: expect.stringContaining("cannot be compiled") as string });
  expect(refusal()).toBe(first);
});

describe("what is meant well", () => {
  test.each<[JsonObject, JsonObject, JsonObject]>([
    [code("^(a+)+$"), { code: "aaa" }, { code: "aab" }],
    [code("^[A-Z]{3}-[0-9]+$"), { code: "BIL-1001" }, { code: "BIL" }],
    [code("^[A-Z]{3}-[0-9]+$"), { code: `BIL-${"1".repeat(5_000)}` }, { code: `BIL-${"1".repeat(5_000)}x` }],
    [
      { type: "object", properties: { all: { type: "array", uniqueItems: true, items: { type: "string" } } } },
      { all: Array.from({ length: 5_000 }, (_, index) => `item ${index}`) },
      { all: ["one", "one"] },
    ],
    [
      {
        type: "object",
        properties: { tree: { $ref: "#/$defs/n" } },
        $defs: { n: { anyOf: [{ type: "null" }, { type: "array", items: { $ref: "#/$defs/n" } }] } },
      },
      { tree: [[null], [[null]]] },
      { tree: [[null], [["x"]]] },
    ],
  ])("is let through, and refused for what is wrong with it: %j", (schema, good, bad) => {
    const normaliser = createNormaliser();
    expect(normaliser.arguments(pin(schema), good).value).toEqual(good);
    expect(() => normaliser.arguments(pin(schema), bad)).toThrow(/^(?!.*takes too long)The arguments do not fit/);
  });

  test("a pattern may be as long as it likes: looking at it takes no time, and one that is too large for the engine is a refusal", () => {
    const problem = (pattern: string) =>
      createNormaliser()
        .resultProblem(pin({}, code(pattern)), { code: "x" })
        ?.slice(0, 60) ?? null;
    expect(problem(`x|[${"[".repeat(100_000)}]`)).toBeNull();
    expect(problem("\\[".repeat(100_000))).toContain("cannot be checked");
  });

  test("[RUN-19] after one that took too long, others of its size are not tried for a while, and smaller ones are", () => {
    let now = 0;
    let tried = 0;
    const check = boundedCheck(
      (value) => {
        tried += 1;
        if (value === "endless") throw new RangeError("too deep");
        return true;
      },
      code("(a+)+"),
      () => now,
    );
    expect(() => check("endless", 100)).toThrow("takes too long");
    expect(() => check("fine", 50)).toThrow("takes too long");
    expect(check("fine", 49)).toBe(true);
    expect(tried).toBe(2);
    now = 10_000;
    expect(check("fine", 100)).toBe(true);
  });
});
