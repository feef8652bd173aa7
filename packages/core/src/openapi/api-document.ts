import type { Json, JsonObject } from "@remit/contract";
import { RemitError } from "@remit/contract";

/** An OpenAPI description, parsed, and of a version that is understood. */
export type ApiDocument = { root: JsonObject; version: "3.0" | "3.1" };

/** What an operation cannot be offered for. It says so in words and leaves the others alone. */
export class NotOffered extends Error {}

/** @throws RemitError `invalid-configuration` */
export function apiDocument(value: Json): ApiDocument {
  if (!isJsonObject(value)) throw new RemitError("invalid-configuration", "this is no OpenAPI document: it is not an object");
  const version = typeof value["openapi"] === "string" ? value["openapi"] : null;
  if (version?.startsWith("3.0.") === true) return { root: value, version: "3.0" };
  if (version?.startsWith("3.1.") === true) return { root: value, version: "3.1" };
  const found = version ?? (value["swagger"] === undefined ? "no version" : `Swagger ${JSON.stringify(value["swagger"])}`);
  throw new RemitError("invalid-configuration", `this is no OpenAPI 3.0 or 3.1 document: it says ${found}`);
}

/** References in a row that are followed. */
const maxReferences = 32;

/** What stands at a place, or where its reference leads. Only within the document: nothing is fetched because a document says so. */
export function dereferenced(document: ApiDocument, value: Json | undefined): JsonObject | null {
  let found = value;
  for (let step = 0; isJsonObject(found) && typeof found["$ref"] === "string"; step += 1) {
    if (step >= maxReferences) throw new NotOffered(`its references lead in a circle (${found["$ref"]})`);
    found = at(document, found["$ref"]);
  }
  return isJsonObject(found) ? found : null;
}

/** What a local reference names. */
export function at(document: ApiDocument, reference: string): Json {
  if (!reference.startsWith("#/"))
    throw new NotOffered(`it refers to ${reference.slice(0, 200)}, and only references within the document are followed`);
  let current: Json | undefined = document.root;
  for (const part of reference.slice(2).split("/")) {
    const key = unescapePart(part, reference);
    if (Array.isArray(current)) current = /^\d+$/.test(key) ? current[Number(key)] : undefined;
    else current = isJsonObject(current) ? member(current, key) : undefined;
  }
  if (current === undefined) throw new NotOffered(`it refers to ${reference.slice(0, 200)}, which is not in the document`);
  return current;
}

function unescapePart(part: string, reference: string): string {
  try {
    return decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~");
  } catch {
    throw new NotOffered(`its reference ${reference.slice(0, 200)} is malformed`);
  }
}

/** An own member; a document may be named like what every object inherits. */
export function member(object: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

export function isJsonObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function text(value: Json | undefined): string | null {
  return typeof value === "string" && value.trim() !== "" ? value.trim() : null;
}
