import type { Command } from "commander";
import { z } from "zod";
import type { Frame } from "../frame/frame.ts";
import type { HttpClient } from "./http-client.ts";
import { query } from "./http-client.ts";

export function pageSchema<Item extends z.ZodType>(item: Item) {
  return z.object({ items: z.array(item), next: z.string().nullable().default(null) });
}

export type PageOptions = { limit?: string; cursor?: string };

export function withPages(command: Command): Command {
  return command.option("--limit <n>", "how many at most, 1 to 200").option("--cursor <cursor>", "go on where the last page ended");
}

/** Says how to see more, if there is more. */
export function sayMore(frame: Frame, next: string | null): void {
  if (next !== null) frame.terminal.say(`more: add --cursor ${next}`);
}

/** Every item of a list, page after page. */
export async function* everyItem<Item extends z.ZodType>(
  client: HttpClient,
  path: string,
  item: Item,
  values: Record<string, string | number | undefined> = {},
  signal?: AbortSignal,
): AsyncGenerator<z.infer<Item>> {
  let cursor: string | undefined;
  do {
    const page = await client.send({
      path: `${path}${query({ ...values, limit: 200, cursor })}`,
      response: pageSchema(item),
      ...(signal === undefined ? {} : { signal }),
    });
    yield* page.items as z.infer<Item>[];
    cursor = page.next ?? undefined;
  } while (cursor !== undefined);
}
