import { isUtf8 } from "node:buffer";
import type { Json } from "@remit/contract";
import { canonicalJson, maxDepth } from "@remit/core";
import { Refusal } from "./problems.ts";

export type StrictJson = { value: Json } | { refused: string };

/** Parses JSON that is canonical to the byte: anything that two readers could take for two things is refused. */
export function parseCanonical(bytes: Buffer): StrictJson {
  if (!isUtf8(bytes)) return { refused: "is not UTF-8" };
  const text = bytes.toString();
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch {
    return { refused: "is not JSON" };
  }
  try {
    // The engine's own printer says the same as ours wherever names are in order; it is ten times as fast.
    if (JSON.stringify(value) === text && !text.includes("\\ud") && isOrdered(value, 0)) return { value };
    if (canonicalJson(value) === text) return { value };
    return { refused: "is not canonical JSON: white space, names out of order or twice, or a number or text in another form" };
  } catch (error) {
    return { refused: `is not canonical JSON: ${error instanceof Error ? error.message : "it cannot be written"}` };
  }
}

/** A line that has to be canonical JSON. @throws Refusal */
export function jsonLine(bytes: Buffer, name: string): Json {
  const parsed = parseCanonical(bytes);
  if ("refused" in parsed) throw new Refusal("tampered", `${name} ${parsed.refused}`);
  return parsed.value;
}

/** A file that is one line of canonical JSON. @throws Refusal */
export function jsonFile(bytes: Buffer, name: string): Json {
  if (bytes.at(-1) !== 0x0a) throw new Refusal("incomplete", `${name} is cut off`);
  return jsonLine(bytes.subarray(0, -1), name);
}

/** Whether names are in order and integers exact, down to the depth that is allowed. */
function isOrdered(value: Json, depth: number): boolean {
  if (typeof value === "number") return !Number.isInteger(value) || Number.isSafeInteger(value);
  if (typeof value !== "object" || value === null) return true;
  if (depth >= maxDepth) return false;
  if (Array.isArray(value)) return value.every((child) => isOrdered(child, depth + 1));
  let before: string | null = null;
  for (const key of Object.keys(value)) {
    if (before !== null && before >= key) return false;
    before = key;
    if (!isOrdered(value[key] ?? null, depth + 1)) return false;
  }
  return true;
}
