import type { Json, JsonObject } from "@remit/contract";
import { at, isJsonObject, member, NotOffered } from "./api-document.ts";
import type { ApiDocument } from "./api-document.ts";

/** Which way the value goes: what is read-only is not sent, what is write-only does not come back. */
export type Direction = "request" | "response";

/** Schemas of an API, each as JSON Schema 2020-12 that is closed in itself. */
export type SchemaReader = {
  /** @throws NotOffered */
  read(schema: Json | undefined): Json;
  /** What the schemas read so far share: the root's `$defs`. Empty where nothing is recursive. */
  definitions(): JsonObject;
};

const maxNodes = 4_000;
const maxDepth = 48;

type Reading = {
  document: ApiDocument;
  direction: Direction;
  definitions: Map<string, Json>;
  /** References that lead back to themselves: these stay references. */
  recursive: Set<string>;
  /** What each reference is called in `$defs`. */
  names: Map<string, string>;
  nodes: number;
};

/**
 * References are replaced by what they name, because policies and the check for undeclared members look at what stands in the
 * schema itself; only what is recursive stays a reference, into `$defs`.
 */
export function createSchemaReader(document: ApiDocument, direction: Direction): SchemaReader {
  const reading: Reading = { document, direction, definitions: new Map(), recursive: new Set(), names: new Map(), nodes: 0 };
  return {
    read: (schema) => convert(schema ?? {}, reading, []),
    definitions: () => Object.fromEntries(reading.definitions),
  };
}

function convert(schema: Json, reading: Reading, open: readonly string[]): Json {
  reading.nodes += 1;
  if (reading.nodes > maxNodes) throw new NotOffered(`its schemas have more than ${maxNodes} parts`);
  if (open.length > maxDepth) throw new NotOffered(`its schemas are nested more than ${maxDepth} deep`);
  if (typeof schema === "boolean") return schema;
  if (!isJsonObject(schema)) return {};
  const reference = schema["$ref"];
  if (typeof reference === "string") return convertReference(schema, reference, reading, open);
  if ("$dynamicRef" in schema) throw new NotOffered("its schemas use $dynamicRef, which is not followed");
  return plain(schema, reading, [...open, ""]);
}

function convertReference(schema: JsonObject, reference: string, reading: Reading, open: readonly string[]): Json {
  const name = definitionName(reference, reading);
  if (open.includes(reference) || reading.definitions.has(name)) {
    reading.recursive.add(reference);
    return { $ref: `#/$defs/${name}` };
  }
  const target = convert(at(reading.document, reference), reading, [...open, reference]);
  if (reading.recursive.has(reference)) {
    reading.definitions.set(name, target);
    return { $ref: `#/$defs/${name}` };
  }
  // 3.1 lets words stand beside a reference; 3.0 says that they mean nothing.
  const beside = reading.document.version === "3.1" && typeof schema["description"] === "string";
  return beside && isJsonObject(target) ? { ...target, description: schema["description"] as Json } : target;
}

function definitionName(reference: string, reading: Reading): string {
  const known = reading.names.get(reference);
  if (known !== undefined) return known;
  const last = (reference.split("/").at(-1) ?? "schema").replaceAll(/[^A-Za-z0-9_.-]/g, "_");
  // Two places may end alike.
  const name = [...reading.names.values()].includes(last) ? `${last}_${reading.names.size}` : last;
  reading.names.set(reference, name);
  return name;
}

const one = new Set([
  "items",
  "additionalProperties",
  "not",
  "contains",
  "propertyNames",
  "if",
  "then",
  "else",
  "unevaluatedItems",
  "unevaluatedProperties",
]);
const several = new Set(["allOf", "anyOf", "oneOf", "prefixItems"]);
const named = new Set(["patternProperties", "dependentSchemas"]);
const values = new Set([
  "type",
  "enum",
  "const",
  "default",
  "title",
  "description",
  "format",
  "minimum",
  "maximum",
  "exclusiveMinimum",
  "exclusiveMaximum",
  "multipleOf",
  "minLength",
  "maxLength",
  "minItems",
  "maxItems",
  "uniqueItems",
  "minProperties",
  "maxProperties",
  "minContains",
  "maxContains",
  "contentEncoding",
  "contentMediaType",
  "dependentRequired",
  "deprecated",
]);

/** A schema that is no reference. What is not known to mean something in JSON Schema is left out. */
function plain(schema: JsonObject, reading: Reading, open: readonly string[]): JsonObject {
  const out: JsonObject = {};
  for (const [key, value] of Object.entries(schema)) {
    if (values.has(key)) out[key] = value;
    else if (one.has(key)) out[key] = convert(value, reading, open);
    else if (several.has(key) && Array.isArray(value)) out[key] = value.map((each) => convert(each, reading, open));
    else if (named.has(key) && isJsonObject(value)) out[key] = mapped(value, (each) => convert(each, reading, open));
    else if (key === "pattern" && typeof value === "string" && isPattern(value)) out[key] = value;
  }
  const { properties } = schema;
  if (isJsonObject(properties)) {
    const kept = Object.entries(properties).filter(([, each]) => goesThisWay(each, reading));
    out["properties"] = Object.fromEntries(kept.map(([key, each]) => [key, convert(each, reading, open)]));
    if (out["type"] === undefined) out["type"] = "object";
  }
  if (Array.isArray(schema["required"])) {
    const here = isJsonObject(properties) ? properties : {};
    const required = schema["required"].filter((key) => typeof key === "string" && goesThisWay(member(here, key), reading));
    if (required.length > 0) out["required"] = required;
  }
  return merged(reading.document.version === "3.0" ? modern(schema, out) : out);
}

/** The dialect of 3.0 in the words of 2020-12. */
function modern(schema: JsonObject, out: JsonObject): JsonObject {
  for (const [exclusive, bound] of [
    ["exclusiveMinimum", "minimum"],
    ["exclusiveMaximum", "maximum"],
  ] as const) {
    if (typeof out[exclusive] !== "boolean") continue;
    const isExclusive = out[exclusive];
    delete out[exclusive];
    if (!isExclusive || typeof out[bound] !== "number") continue;
    out[exclusive] = out[bound];
    delete out[bound];
  }
  if (out["format"] === "binary" || out["format"] === "byte") {
    delete out["format"];
    out["contentEncoding"] = "base64";
  }
  if (schema["nullable"] !== true) return out;
  if (typeof out["type"] !== "string") return { anyOf: [out, { type: "null" }] };
  out["type"] = [out["type"], "null"];
  if (Array.isArray(out["enum"]) && !out["enum"].includes(null)) out["enum"] = [...out["enum"], null];
  return out;
}

const mergeable = new Set(["type", "properties", "required", "title", "description"]);

/** One object instead of the objects it is made of, so that what is declared can be seen; only where that means the same. */
function merged(schema: JsonObject): JsonObject {
  const parts = schema["allOf"];
  if (!Array.isArray(parts)) return schema;
  const { allOf: _parts, ...own } = schema;
  const all = [...parts, own];
  const properties = new Map<string, Json>();
  const required = new Set<Json>();
  for (const part of all) {
    if (!isJsonObject(part) || (part["type"] ?? "object") !== "object") return schema;
    if (!Object.keys(part).every((key) => mergeable.has(key))) return schema;
    for (const [key, value] of Object.entries(isJsonObject(part["properties"]) ? part["properties"] : {})) {
      if (properties.has(key)) return schema;
      properties.set(key, value);
    }
    for (const key of Array.isArray(part["required"]) ? part["required"] : []) required.add(key);
  }
  const words = Object.fromEntries(["title", "description"].flatMap((key) => (own[key] === undefined ? [] : [[key, own[key]]])));
  return {
    ...words,
    type: "object",
    properties: Object.fromEntries(properties),
    ...(required.size === 0 ? {} : { required: [...required] }),
  };
}

function goesThisWay(schema: Json | undefined, reading: Reading): boolean {
  let found = schema;
  for (let step = 0; step < 8 && isJsonObject(found) && typeof found["$ref"] === "string"; step += 1)
    found = at(reading.document, found["$ref"]);
  return !isJsonObject(found) || found[reading.direction === "request" ? "readOnly" : "writeOnly"] !== true;
}

/** One that does not compile would make the whole tool uncallable. */
function isPattern(pattern: string): boolean {
  try {
    return new RegExp(pattern, "u").source !== "";
  } catch {
    return false;
  }
}

function mapped(object: JsonObject, of: (value: Json) => Json): JsonObject {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, of(value)]));
}
