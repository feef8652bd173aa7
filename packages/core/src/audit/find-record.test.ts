import type { Json } from "@remit/contract";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { findRecord } from "./find-record.ts";

test.each<{ name: string; value: Json; record: string; found: string[] }>([
  { name: "an argument", value: { id: "T-1" }, record: "T-1", found: ["/arguments/id"] },
  { name: "a number", value: { customer: 4711 }, record: "4711", found: ["/arguments/customer"] },
  { name: "in a list", value: { ids: ["T-2", "T-1"] }, record: "T-1", found: ["/arguments/ids/1"] },
  { name: "the name of a member", value: { "T-1": true }, record: "T-1", found: ["/arguments/T-1"] },
  { name: "JSON in text", value: { text: '{"ticket":{"id":"T-1"}}' }, record: "T-1", found: ["/arguments/text/ticket/id"] },
  { name: "a word of a sentence", value: { text: "Ticket T-1 is closed." }, record: "T-1", found: ["/arguments/text"] },
  { name: "not the beginning of another", value: { text: "Ticket T-12, and AT-1" }, record: "T-1", found: [] },
  { name: "not what only looks alike", value: { id: "t-1", other: null, more: true }, record: "T-1", found: [] },
  { name: "a pointer that needs escaping", value: { "a/b~c": "T-1" }, record: "T-1", found: ["/arguments/a~1b~0c"] },
])("[AUD-03] $name", ({ value, record, found }) => {
  expect(findRecord(value, record, "/arguments")).toEqual(found);
});

test("[AUD-03] a scalar is found wherever it stands, and no value makes the search fail", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), fc.array(fc.string(), { maxLength: 6 }), (other, path) => {
      const value = path.reduce<Json>((inner, key) => ({ [key]: inner, other: other as Json }), "needle-1");
      const found = findRecord(value, "needle-1", "");
      if (!path.includes("other")) expect(found.length).toBeGreaterThan(0);
    }),
  );
});

test("[AUD-03] a search of something very deep or very wide ends", () => {
  let deep: Json = "needle-1";
  for (let level = 0; level < 5_000; level += 1) deep = [deep];
  expect(findRecord(deep, "needle-1", "")).toEqual([]);
  expect(
    findRecord(
      Array.from({ length: 100_000 }, () => "x"),
      "needle-1",
      "",
    ),
  ).toEqual([]);
});
