import type { Json, JsonObject } from "@remit/contract";
import { decodeHeaderValue, encodeHeaderValue } from "./header-value.ts";

/** An argument that is mirrored into the header `Mcp-Param-<name>` (`x-mcp-header` in the tool's input schema). */
export type HeaderParameter = { header: string; path: readonly string[] };

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const maxPathLength = 16;

/** The mirrored arguments of a tool. Annotations that the specification calls invalid are left out. */
export function headerParameters(inputSchema: JsonObject): HeaderParameter[] {
  const found: HeaderParameter[] = [];
  collect(inputSchema, [], found);
  return found;
}

function collect(schema: JsonObject, path: readonly string[], found: HeaderParameter[]): void {
  const properties = schema["properties"];
  if (!isObject(properties) || path.length >= maxPathLength) return;
  for (const [name, property] of Object.entries(properties)) {
    if (!isObject(property)) continue;
    const annotation = property["x-mcp-header"];
    const primitive = property["type"] === "string" || property["type"] === "integer" || property["type"] === "boolean";
    if (typeof annotation === "string" && token.test(annotation) && primitive) {
      found.push({ header: `mcp-param-${annotation.toLowerCase()}`, path: [...path, name] });
    }
    collect(property, [...path, name], found);
  }
}

/** The headers that go with a call. */
export function parameterHeaders(parameters: readonly HeaderParameter[], args: JsonObject): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const { header, path } of parameters) {
    const value = valueAt(args, path);
    if (value !== undefined && value !== null && typeof value !== "object") headers[header] = encodeHeaderValue(String(value));
  }
  return headers;
}

/** What is wrong with the headers of a call, as a sentence; null when they say what the body says. */
export function parameterHeaderMismatch(
  parameters: readonly HeaderParameter[],
  args: unknown,
  headers: Readonly<Record<string, string | string[] | undefined>>,
): string | null {
  for (const { header, path } of parameters) {
    const value = isObject(args) ? valueAt(args, path) : undefined;
    const expected = value === undefined || value === null || typeof value === "object" ? null : value;
    const sent = headers[header];
    if (sent === undefined && expected === null) continue;
    if (sent === undefined) return `header ${header} is missing; the argument /${path.join("/")} is mirrored in it`;
    if (expected === null) return `header ${header} is sent, but there is no argument /${path.join("/")}`;
    const decoded = typeof sent === "string" ? decodeHeaderValue(sent) : null;
    const same =
      typeof expected === "number"
        ? decoded !== null && decoded.trim() !== "" && Number(decoded) === expected
        : decoded === String(expected);
    if (!same) return `header ${header} does not say what the argument /${path.join("/")} says`;
  }
  return null;
}

function valueAt(args: JsonObject, path: readonly string[]): Json | undefined {
  let value: Json | undefined = args;
  for (const name of path) {
    if (!isObject(value) || !Object.hasOwn(value, name)) return undefined;
    value = value[name];
  }
  return value;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
