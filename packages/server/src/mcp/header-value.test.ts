import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeHeaderValue, encodeHeaderValue } from "./header-value.ts";

test("[CTL-39] every value comes back from its header, and the header is plain", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (value) => {
      const header = encodeHeaderValue(value);
      expect(header).toMatch(/^[\x20-\x7e\t]*$/);
      expect(decodeHeaderValue(header)).toBe(value);
    }),
  );
});

// The examples of MCP 2026-07-28, Streamable HTTP, Value Encoding.
test.each([
  ["us-west1", "us-west1"],
  ["Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="],
  [" padded ", "=?base64?IHBhZGRlZCA=?="],
  ["line1\nline2", "=?base64?bGluZTEKbGluZTI=?="],
  ["=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="],
])("%o is %s", (value, header) => {
  expect(encodeHeaderValue(value)).toBe(header);
  expect(decodeHeaderValue(header)).toBe(value);
});

test.each(["=?base64?!!!?=", "=?base64?w7w?=", "=?base64?/w==?=", "ümlaut", " x", "x\u0000y"])("%o stands for nothing", (header) => {
  expect(decodeHeaderValue(header)).toBeNull();
});
