import fc from "fast-check";
import { expect, test } from "vitest";
import { safeJson, safeLine, safeText } from "./safe-text.ts";

const hostile = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

test("[CTL-28] nothing that is shown on a line can move the cursor, hide text or turn it round", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => !hostile.test(safeLine(text))));
  expect(safeLine("\u001b[2Jpay \u202eelliv\u202c \u200b!\u{e0041}\r\n")).toBe(
    String.raw`\u001b[2Jpay \u202eelliv\u202c \u200b!\udb40\udc41\u000d\u000a`,
  );
});

test("a longer text keeps its lines and nothing else that is special", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => !hostile.test(safeText(text).replace(/[\n\t]/g, ""))));
  expect(safeText("one\n\ttwo\u0007 ❤️")).toBe("one\n\ttwo\\u0007 ❤️");
});

test("JSON that is made safe is still the same JSON", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.option(fc.constant(2)), (value, indent) => {
      const text = safeJson(value, indent ?? undefined);
      expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
      expect(hostile.test(text.replace(/\n/g, ""))).toBe(false);
    }),
  );
  expect(safeJson({ to: "a\u202eb\u{e0041}" })).toBe(String.raw`{"to":"a\u202eb\udb40\udc41"}`);
});
