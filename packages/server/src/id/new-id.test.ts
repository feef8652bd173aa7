import { idSchema } from "@remit/contract";
import { expect, test } from "vitest";
import { newId } from "./new-id.ts";

test("ids are UUIDv7 of their kind, never the same, sorted by time", () => {
  const ids = Array.from({ length: 1_000 }, (_, index) => newId("action", 1_700_000_000_000 + index));
  expect(new Set(ids).size).toBe(1_000);
  expect(ids.toSorted()).toEqual(ids);
  for (const id of ids) {
    expect(idSchema("action").parse(id)).toBe(id);
    expect(id).toMatch(/^act_[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}$/);
  }
  expect(idSchema("run").safeParse(ids[0]).success).toBe(false);
});
