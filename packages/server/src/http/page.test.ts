import { describe, expect, test } from "vitest";
import { z } from "zod";
import { pageOf, pageQuerySchema, positionOf } from "./page.ts";

const rows = Array.from({ length: 10 }, (_, index) => ({ id: `r${index}`, at: index }));
const position = z.tuple([z.int(), z.string()]);

/** As SQL would: rows after the position, one more than a page. */
const fetchPage = (query: unknown) => {
  const parsed = pageQuerySchema.parse(query);
  const after = positionOf(parsed, position);
  return pageOf(rows.filter((row) => after === null || row.at > after[0]).slice(0, parsed.limit + 1), parsed.limit, (row) => [
    row.at,
    row.id,
  ]);
};

describe("pages", () => {
  test.each([1, 3, 5, 10, 200])("of %i show every row once", (limit) => {
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page: ReturnType<typeof fetchPage> = fetchPage({ limit: String(limit), ...(cursor === null ? {} : { cursor }) });
      seen.push(...page.items.map((row) => row.id));
      cursor = page.next;
    } while (cursor !== null);
    expect(seen).toEqual(rows.map((row) => row.id));
  });

  test.each([{ limit: "0" }, { limit: "201" }, { limit: "x" }, { limit: "1.5" }, { offset: "1" }])("%o is refused", (query) => {
    expect(pageQuerySchema.safeParse(query).success).toBe(false);
  });

  test.each([
    "x",
    "",
    Buffer.from("[1]").toString("base64url"),
    Buffer.from('["a","b"]').toString("base64url"),
    Buffer.from("{}").toString("base64url"),
  ])("the cursor %j is refused", (cursor) => {
    expect(() => fetchPage({ cursor })).toThrow(expect.objectContaining({ code: "invalid-request" }));
  });
});
