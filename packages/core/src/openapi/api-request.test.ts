import type { Json, JsonObject } from "@remit/contract";
import { RemitError } from "@remit/contract";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { apiRequest } from "./api-request.ts";
import type { ApiOperation, ApiParameter } from "./operation.ts";
import { readOperations } from "./read-operations.ts";

const parameter = (more: Partial<ApiParameter>): ApiParameter => ({
  argument: "color",
  name: "color",
  in: "query",
  style: "form",
  explode: true,
  allowReserved: false,
  json: false,
  required: false,
  ...more,
});

const operation = (...parameters: ApiParameter[]): ApiOperation => ({
  tool: "x",
  method: "GET",
  path: parameters.some((each) => each.in === "path") ? "/a/{color}/b" : "/a",
  description: "",
  parameters,
  body: null,
  security: [],
  inputSchema: {},
  outputSchema: null,
  wrapsResult: false,
});

const query = (more: Partial<ApiParameter>, value: Json) =>
  apiRequest(operation(parameter(more)), { color: value })
    .query.map((pair) => pair.join("="))
    .join("&");
const path = (more: Partial<ApiParameter>, value: Json) => apiRequest(operation(parameter({ in: "path", ...more })), { color: value }).path;

const array = ["blue", "black", "brown"];
const object = { R: 100, G: 200, B: 150 };

describe("parameters are written as the specification's own table of styles says", () => {
  test.each([
    ["form", true, "blue", "color=blue"],
    ["form", false, array, "color=blue,black,brown"],
    ["form", true, array, "color=blue&color=black&color=brown"],
    ["form", false, object, "color=R,100,G,200,B,150"],
    ["form", true, object, "R=100&G=200&B=150"],
    ["form", true, "", "color="],
    ["spaceDelimited", false, array, "color=blue%20black%20brown"],
    ["pipeDelimited", false, array, "color=blue%7Cblack%7Cbrown"],
    ["deepObject", true, object, "color%5BR%5D=100&color%5BG%5D=200&color%5BB%5D=150"],
  ] as const)("query, %s, explode %s: %j", (style, explode, value, expected) => {
    expect(query({ style, explode }, value as Json)).toBe(expected);
  });

  test.each([
    ["simple", false, "blue", "/a/blue/b"],
    ["simple", false, array, "/a/blue,black,brown/b"],
    ["simple", false, object, "/a/R,100,G,200,B,150/b"],
    ["simple", true, object, "/a/R=100,G=200,B=150/b"],
    ["label", false, "blue", "/a/.blue/b"],
    ["label", true, array, "/a/.blue.black.brown/b"],
    ["label", true, object, "/a/.R=100.G=200.B=150/b"],
    ["matrix", false, "blue", "/a/;color=blue/b"],
    ["matrix", false, array, "/a/;color=blue,black,brown/b"],
    ["matrix", true, array, "/a/;color=blue;color=black;color=brown/b"],
    ["matrix", false, object, "/a/;color=R,100,G,200,B,150/b"],
    ["matrix", true, object, "/a/;R=100;G=200;B=150/b"],
  ] as const)("path, %s, explode %s: %j", (style, explode, value, expected) => {
    expect(path({ style, explode }, value as Json)).toBe(expected);
  });

  test("reserved characters stay where the document says so, but for those that would end the value", () => {
    expect(query({ allowReserved: true }, "a/b?c:d&e=f#g+h i")).toBe("color=a/b?c:d%26e%3Df%23g%2Bh%20i");
    expect(query({ json: true }, { a: [1, "&"] })).toBe("color=%7B%22a%22%3A%5B1%2C%22%26%22%5D%7D");
  });
});

describe("whatever the arguments are", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary", maxLength: 20 }),
    fc
      .array(fc.constantFrom(".", "..", "/", "\\", "%2f", "%2e", "%25", "a", "?", "#", "\r\n", "\0", ";", "&", "="), { maxLength: 8 })
      .map((parts) => parts.join("")),
  );
  const value = fc.oneof(text, fc.array(text, { maxLength: 3 }), fc.dictionary(text, text, { maxKeys: 3 }));

  /** The request, or that it was refused. */
  function request(made: ApiOperation, args: JsonObject) {
    try {
      return apiRequest(made, args);
    } catch (error) {
      if (RemitError.is(error) && error.code === "invalid-arguments") return null;
      throw error;
    }
  }

  test("[CTL-18] a path keeps its segments, and none of them is a way up", () => {
    const style = fc.constantFrom("simple" as const, "label" as const, "matrix" as const);
    fc.assert(
      fc.property(style, fc.boolean(), value, (chosen, explode, given) => {
        const made = request(operation(parameter({ in: "path", style: chosen, explode })), { color: given });
        if (made === null) return;
        expect(made.path).toMatch(/^\/a\/[^/?#\\\s]+\/b$/);
        expect(made.path).not.toMatch(/\/\.{1,2}\/|%2e%2e|%2f|%5c/i);
      }),
    );
  });

  test("[CTL-18] a header and a cookie stay one, and a query keeps to its own names", () => {
    fc.assert(
      fc.property(value, fc.boolean(), (given, explode) => {
        const header = request(operation(parameter({ in: "header", style: "simple", explode })), { color: given });
        if (header !== null) expect(header.headers["color"]).toMatch(/^[ -~]*$/);
        const cookie = request(operation(parameter({ in: "cookie", explode: false })), { color: given });
        if (cookie !== null) for (const [name, each] of cookie.cookies) expect(`${name}=${each}`).toMatch(/^color=[^;\s]*$/);
        const asked = request(operation(parameter({ explode: false })), { color: given });
        if (asked !== null) for (const [name, each] of asked.query) expect(`${name}=${each}`).toMatch(/^color=[^&#\s]*$/);
      }),
    );
  });

  test("a description is read or refused, and holds up no other operation", () => {
    const keys = fc.constantFrom(
      "paths",
      "/a",
      "get",
      "post",
      "parameters",
      "schema",
      "$ref",
      "properties",
      "type",
      "allOf",
      "name",
      "in",
      "responses",
      "200",
      "content",
      "application/json",
      "requestBody",
      "items",
      "__proto__",
    );
    const json = fc.letrec<{ value: Json }>((tie) => ({
      value: fc.oneof(
        { depthSize: "small" },
        fc.constantFrom<Json>("#/paths", "#/paths/~1a/get", "#/", "string", "path", "query", "a", 1, null, true),
        fc.array(tie("value"), { maxLength: 3 }),
        fc.dictionary(keys, tie("value"), { maxKeys: 4 }),
      ),
    })).value;
    fc.assert(
      fc.property(json, fc.dictionary(fc.constantFrom("get", "post", "parameters"), json), (anything, item) => {
        const good = { get: { operationId: "good", responses: {} } };
        const read = readOperations({ openapi: "3.1.0", components: anything, paths: { "/a": item as JsonObject, "/good": good } });
        expect(read.operations.map(({ tool }) => tool)).toContain("good");
        expect(() => JSON.stringify(read)).not.toThrow();
      }),
    );
  });
});
