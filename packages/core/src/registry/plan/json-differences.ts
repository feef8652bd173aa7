import type { Json, JsonObject } from "@remit/contract";
import { canonicalJson } from "../../canonical/canonical-json.ts";

export type JsonDifference = { pointer: string; before: Json; after: Json };

/** The members in which two objects differ, by JSON pointer. Lists are compared whole; what is absent is null. */
export function jsonDifferences(before: JsonObject, after: JsonObject, pointer = ""): JsonDifference[] {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return keys.flatMap((key) => {
    const at = `${pointer}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;
    const left = Object.hasOwn(before, key) ? (before[key] ?? null) : null;
    const right = Object.hasOwn(after, key) ? (after[key] ?? null) : null;
    if (isObject(left) && isObject(right)) return jsonDifferences(left, right, at);
    return canonicalJson(left) === canonicalJson(right) ? [] : [{ pointer: at, before: left, after: right }];
  });
}

function isObject(value: Json): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
