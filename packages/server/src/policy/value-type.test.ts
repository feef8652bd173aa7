import type { Json } from "@remit/contract";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { loadCedar } from "./cedar-module.ts";
import { wholeSchema } from "./cedar-schema.ts";
import { pinnedTool, supportRegistry } from "./support.testing.ts";
import { inputType } from "./value-type.ts";
import type { ValueType } from "./value-type.ts";
import { vocabularyOf } from "./vocabulary.ts";

const text = { type: "string" };

/** The schema of one member `m`, and what policies see of it; null: nothing. */
const table: [string, Json, string | null][] = [
  ["a text", text, "string"],
  ["an integer", { type: "integer" }, "integer"],
  ["a boolean", { type: "boolean" }, "boolean"],
  ["a number", { type: "number" }, null],
  ["a whole number in other words", { type: "number", multipleOf: 1 }, "integer"],
  ["a step of a hundredth", { type: "number", multipleOf: 0.01 }, null],
  ["listed texts", { enum: ["a", "b"] }, "string of a|b"],
  ["listed integers", { enum: [1, 2] }, "integer of 1|2"],
  ["listed fractions", { enum: [1, 2.5] }, null],
  ["a mixed list", { enum: ["a", 1] }, null],
  ["a constant", { const: true }, "boolean of true"],
  ["alternatives that are constants", { oneOf: [{ const: "a" }, { const: "b" }] }, "string of a|b"],
  ["a text or null", { type: ["string", "null"] }, "string?"],
  ["a text or null, as alternatives", { anyOf: [text, { type: "null" }] }, "string?"],
  ["a text or an integer", { anyOf: [text, { type: "integer" }] }, null],
  ["several types", { type: ["string", "integer"] }, null],
  ["texts", { type: "array", items: text }, "set of string"],
  ["objects in an array", { type: "array", items: { type: "object", properties: { a: text } } }, null],
  ["numbers in an array", { type: "array", items: { type: "number" } }, null],
  ["a tuple", { type: "array", prefixItems: [text] }, null],
  ["an object", { type: "object", properties: { a: text, b: { type: "number" } }, required: ["a"] }, "record of a"],
  ["an object by its members", { properties: { a: text } }, "record of a?"],
  ["a local reference", { $ref: "#/$defs/money" }, "integer"],
  ["a reference to itself", { $ref: "#/$defs/tree" }, "record of name?,child?"],
  ["a reference elsewhere", { $ref: "https://example.com/x.json" }, null],
  ["a combination", { allOf: [text] }, null],
  ["anything", true, null],
  ["nothing said", {}, null],
];

describe("what policies see of a tool's input", () => {
  test.each(table)("[CTL-12] %s", (_what, member, expected) => {
    const { type, leftOut } = inputType({
      type: "object",
      properties: { m: member },
      required: ["m"],
      $defs: { money: { type: "integer" }, tree: { type: "object", properties: { name: text, child: { $ref: "#/$defs/tree" } } } },
    });
    const found = type.members.get("m");
    expect(found === undefined ? null : `${words(found.type)}${found.required ? "" : "?"}`).toBe(expected);
    if (expected === null) expect(leftOut).toEqual([{ path: ["m"], why: expect.any(String) }]);
  });

  test("[CTL-37] names that mean something to Cedar's JSON are never passed on", () => {
    const { type, leftOut } = inputType({ type: "object", properties: { __entity: text, __extn: text, __proto__x: text, ok: text } });
    expect([...type.members.keys()]).toEqual(["ok"]);
    expect(leftOut).toHaveLength(3);
  });

  test("[CTL-12] whatever an upstream's schema says, Cedar accepts the schema that is made of it", () => {
    const cedar = loadCedar();
    const registry = supportRegistry();
    const name = fc.oneof(
      fc.constantFrom("refund.create", "weird-key!", "type", "if", "in", "", "__extn", "__proto__", "ключ", "a b"),
      fc.string(),
    );
    const schema = fc.letrec<{ node: Json }>((tie) => ({
      node: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom<Json>(
          text,
          { type: "integer" },
          { type: "number" },
          { type: "null" },
          {},
          true,
          { enum: ["a", 1] },
          { $ref: "#" },
          7,
        ),
        fc
          .dictionary(name, tie("node"), { maxKeys: 4 })
          .map((properties): Json => ({ type: "object", properties, required: Object.keys(properties) })),
        tie("node").map((items): Json => ({ type: "array", items })),
        fc.array(tie("node"), { maxLength: 3 }).map((anyOf): Json => ({ anyOf })),
        fc.json().map((json): Json => JSON.parse(json) as Json),
      ),
    })).node;
    fc.assert(
      fc.property(fc.dictionary(name, schema, { maxKeys: 5 }), fc.stringMatching(/^[A-Za-z0-9_.-]{1,20}$/), (properties, tool) => {
        const tools = new Map([["helpdesk__x", pinnedTool("helpdesk", tool, "write", { properties })]]);
        const answer = cedar.checkParseSchema(wholeSchema(vocabularyOf({ ...registry, tools })));
        expect(answer).toEqual({ type: "success" });
      }),
    );
  });
});

function words(type: ValueType): string {
  switch (type.kind) {
    case "set":
      return `set of ${type.element}`;
    case "teams":
      return "teams";
    case "record":
      return `record of ${[...type.members].map(([name, member]) => `${name}${member.required ? "" : "?"}`).join(",")}`;
    default:
      return type.values === null ? type.kind : `${type.kind} of ${type.values.join("|")}`;
  }
}
