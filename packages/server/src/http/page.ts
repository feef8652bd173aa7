import { issuesOf, RemitError } from "@remit/contract";
import { z } from "zod";

/** The query of every list. Extend it with the list's own filters. */
export const pageQuerySchema = z.strictObject({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(500).optional(),
});
export type PageQuery = z.infer<typeof pageQuerySchema>;

/** The answer of every list. */
export function pageSchema<Item extends z.ZodType>(item: Item) {
  return z.object({ items: z.array(item), next: z.string().nullable() });
}

export type Page<Item> = { items: Item[]; next: string | null };

/** A page of `limit + 1` rows that were asked for: the one too many shows that there is more. `position` says where a row stands in the order. */
export function pageOf<Row>(rows: readonly Row[], limit: number, position: (row: Row) => readonly (string | number)[]): Page<Row> {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  return { items, next: rows.length > limit && last !== undefined ? encodeCursor(position(last)) : null };
}

/**
 * Where to go on, as the shape that the list wrote into its cursor; null for the first page. Cursors are opaque to callers
 * and carry nothing secret, but anybody can write one: it is parsed like any other input.
 * @throws RemitError `invalid-request`
 */
export function positionOf<Position extends z.ZodType>(query: PageQuery, schema: Position): z.infer<Position> | null {
  if (query.cursor === undefined) return null;
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(query.cursor, "base64url").toString("utf8"));
  } catch {
    throw unusable([]);
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw unusable(issuesOf(parsed.error));
  return parsed.data;
}

/** A cursor that {@link positionOf} reads. */
export function encodeCursor(position: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(position), "utf8").toString("base64url");
}

function unusable(found: readonly { message: string }[]): RemitError {
  return new RemitError("invalid-request", "The cursor is not one of this list", {
    issues: [{ message: "pass `next` of the page before, or no cursor for the first page", pointer: "/cursor" }, ...found],
  });
}
