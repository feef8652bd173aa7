import type { Json, JsonObject, ToolResult } from "@remit/contract";
import { showSmuggled } from "@remit/core";

/** A result in which nothing is written that a person would not see and a model would obey. The same result where nothing is. */
export function shownResult(result: ToolResult): ToolResult {
  const content = shownJson(result.content);
  const structured = result.structuredContent === undefined ? undefined : shownJson(result.structuredContent);
  if (content === result.content && structured === result.structuredContent) return result;
  return {
    ...result,
    content: content as JsonObject[],
    ...(structured === undefined ? {} : { structuredContent: structured }),
  } as ToolResult;
}

/** Binary content is not text, whatever it spells. */
const binary: ReadonlySet<string> = new Set(["data", "blob"]);

function shownJson(value: Json): Json {
  if (typeof value === "string") return showSmuggled(value);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    const shown = value.map(shownJson);
    return shown.some((one, index) => one !== value[index]) ? shown : value;
  }
  let changed: JsonObject | null = null;
  for (const key of Object.keys(value)) {
    const member = value[key];
    if (member === undefined || binary.has(key)) continue;
    const shown = shownJson(member);
    if (shown === member) continue;
    // A copy has its members of its own: `__proto__` is a name like any other here.
    changed ??= { ...value };
    changed[key] = shown;
  }
  return changed ?? value;
}
