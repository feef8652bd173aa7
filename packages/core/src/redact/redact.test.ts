import type { Json } from "@remit/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import { redact, redactedText, valueAt } from "./redact.ts";

const ticket: Json = {
  id: "T-1",
  customer: { name: "Ada", email: "ada@example.com" },
  messages: [
    { from: "ada@example.com", text: "hello" },
    { from: "bob@example.com", text: "hi" },
  ],
  "a/b": { "c~d": 1 },
};

test.each<[string, (value: Json) => Json | undefined]>([
  ["/customer/email", (value) => valueAt(value, "/customer/email")],
  ["/messages/*/from", (value) => valueAt(value, "/messages/1/from")],
  ["/messages/0/from", (value) => valueAt(value, "/messages/0/from")],
  ["/customer/*", (value) => valueAt(value, "/customer/name")],
  ["/a~1b/c~0d", (value) => valueAt(value, "/a~1b/c~0d")],
])("redacts %s", (pointer, read) => {
  expect(read(ticket)).not.toBe(redactedText);
  expect(read(redact(ticket, [pointer]))).toBe(redactedText);
});

test("changes nothing else, and nothing when the pointer names nothing", () => {
  expect(redact(ticket, ["/customer/phone", "/messages/7/from", "/id/x"])).toEqual(ticket);
  expect(redact(ticket, ["/customer/email"])).toEqual({ ...(ticket as object), customer: { name: "Ada", email: redactedText } });
});

test("[CTL-33] nothing that a pointer names survives, whatever the value", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.string()), (members) => {
      for (const value of Object.values(redact(members, ["/*"]) as Record<string, Json>)) expect(value).toBe(redactedText);
    }),
  );
});
