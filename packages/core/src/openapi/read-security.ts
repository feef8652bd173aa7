import type { Json, JsonObject } from "@remit/contract";
import { dereferenced, isJsonObject, member } from "./api-document.ts";
import type { ApiDocument } from "./api-document.ts";
import type { ApiScheme, ApiSecurity } from "./operation.ts";

/** How an operation wants to be told who calls: its own word, or that of the whole document. */
export function readSecurity(document: ApiDocument, operation: JsonObject): ApiSecurity[] {
  const requirements = operation["security"] ?? document.root["security"];
  if (!Array.isArray(requirements)) return [];
  const alternatives = requirements.filter(isJsonObject).map((requirement) => ({
    schemes: Object.keys(requirement).map((name) => readScheme(document, name)),
  }));
  // One that wants nothing makes all of them optional.
  return alternatives;
}

function readScheme(document: ApiDocument, name: string): ApiScheme {
  const components = document.root["components"];
  const schemes = isJsonObject(components) ? components["securitySchemes"] : undefined;
  const scheme = dereferenced(document, isJsonObject(schemes) ? member(schemes, name) : undefined);
  if (scheme === null) return { name, type: "other", what: "a scheme that the document does not describe" };
  const type = scheme["type"];
  if (type === "apiKey") return readApiKey(scheme, name);
  if (type === "oauth2" || type === "openIdConnect") return { name, type: "bearer" };
  if (type === "http") {
    const http = lower(scheme["scheme"]);
    if (http === "basic") return { name, type: "basic" };
    if (http === "bearer") return { name, type: "bearer" };
    return { name, type: "other", what: `HTTP ${http}` };
  }
  return { name, type: "other", what: lower(type) };
}

function readApiKey(scheme: JsonObject, name: string): ApiScheme {
  const place = scheme["in"];
  const parameter = scheme["name"];
  if ((place !== "header" && place !== "query" && place !== "cookie") || typeof parameter !== "string")
    return { name, type: "other", what: "a malformed apiKey" };
  return { name, type: "api-key", in: place, parameter };
}

function lower(value: Json | undefined): string {
  return typeof value === "string" ? value.toLowerCase() : "nothing";
}
