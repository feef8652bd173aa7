import { RemitError } from "@remit/contract";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseJson } from "./strict-json.ts";

const parse = (text: string) => parseJson(Buffer.from(text, "utf8"));

function refusal(bytes: Uint8Array): { code: string; pointer: string | undefined; message: string } {
  try {
    parseJson(bytes);
  } catch (error) {
    if (RemitError.is(error)) return { code: error.code, pointer: error.issues[0]?.pointer, message: error.message };
  }
  throw new Error("expected a refusal");
}

describe("parseJson", () => {
  test("reads whatever JSON.parse reads, the same", () => {
    fc.assert(
      fc.property(fc.json({ noUnicodeString: false, maxDepth: 8 }), (text) => {
        fc.pre(!/"(__proto__|constructor)"/.test(text));
        expect(parse(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  test.each([
    ['{"a":1,"a":2}', "/a"],
    ['{"a":{"b":[1,{"c":1,"c":1}]}}', "/a/b/1/c"],
    ['{"a":1,"\\u0061":2}', "/a"],
    ['[{"x":1},{"x":1,"x":1}]', "/1/x"],
    ['{"a/b":1,"a/b":1}', "/a~1b"],
    ['{"__proto__":{"admin":true}}', "/__proto__"],
    ['{"a":{"\\u005f_proto__":1}}', "/a/__proto__"],
    ['{"constructor":{"prototype":{}}}', "/constructor"],
  ])("refuses %s", (text, pointer) => {
    expect(refusal(Buffer.from(text))).toMatchObject({ code: "invalid-request", pointer });
  });

  test.each([
    ['{"a":"a","b":"a"}'],
    ['{"a":"a:","b":["a",{"a":1}]}'],
    ['["__proto__"]'],
    ['{"a":"\\"a\\":"}'],
    ['{"a" : {"a" : "x"} , "b":2}'],
    ['{"a":"\\\\","b":":\\\\\\"","c":"\\":"}'],
  ])("accepts %s: the same text as a value is no member", (text) => expect(parse(text)).toEqual(JSON.parse(text)));

  test("refuses any member that appears twice, wherever it is and whatever stands around it", () => {
    fc.assert(
      fc.property(fc.json({ noUnicodeString: false, maxDepth: 4 }), fc.string(), fc.json(), (around, name, value) => {
        fc.pre(!/"(__proto__|constructor)"/.test(around + value) && name !== "__proto__" && name !== "constructor");
        const member = `${JSON.stringify(name)}:${value}`;
        expect(parse(`[${around},{${member}}]`)).toBeInstanceOf(Array);
        expect(() => parse(`[${around},{${member},"":${around},${member}}]`)).toThrow("twice");
      }),
    );
  });

  // V8 13.6 takes a name with an escape for another that it has lately seen in the same place.
  test("reads names with an escape as they are, whatever was read before", () => {
    const lately = (text: string) => Array.from({ length: 3 }, () => JSON.parse(text) as unknown);
    lately(String.raw`{"amount":1,"\\u0061":1}`);
    expect(refusal(Buffer.from(String.raw`{"amount":1,"\u0061mount":999}`))).toMatchObject({ code: "invalid-request", pointer: "/amount" });
    lately(String.raw`{"lately":1,"\\u00":1}`);
    expect(parse(String.raw`{"lately":1,"\u00e9tat":[{"a\n":"\u0062"}],"\u0031":2}`)).toEqual({ lately: 1, état: [{ "a\n": "b" }], 1: 2 });
  });

  test("refuses depth before anything recurses into it", () => {
    expect(refusal(Buffer.from("[".repeat(100_000) + "]".repeat(100_000))).message).toMatch(/nests deeper than 64/);
    expect(parse("[".repeat(64) + "]".repeat(64))).toBeInstanceOf(Array);
  });

  test("refuses invalid UTF-8", () => {
    expect(refusal(Buffer.from([0x22, 0xff, 0x22]))).toMatchObject({ code: "invalid-request", message: "The body is not valid UTF-8" });
  });

  test("says where the text stops being JSON, and quotes nothing of it", () => {
    const { message } = refusal(Buffer.from('{\n  "secret-canary": 1 "b" }'));
    expect(message).toBe("The body is not valid JSON at line 2, column 22");
    expect(refusal(Buffer.from('{"secret-canary": nope}')).message).not.toContain("canary");
  });
});
