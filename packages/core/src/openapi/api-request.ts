import type { Json, JsonObject } from "@remit/contract";
import { RemitError } from "@remit/contract";
import type { ApiOperation } from "./operation.ts";
import { cookiePairs, formPairs, headerText, pathText, queryPairs } from "./parameter-style.ts";
import type { Pair } from "./parameter-style.ts";

/** One part of a multipart body. `base64`: it is a file. */
export type RequestPart = { name: string; content: string; encoding: "text" | "json" | "base64" };

export type RequestBody =
  | { type: "none" }
  | { type: "text"; mediaType: string; content: string }
  | { type: "base64"; mediaType: string; content: string }
  | { type: "multipart"; parts: RequestPart[] };

/** A request before it has an address and a credential. */
export type ApiRequest = {
  method: ApiOperation["method"];
  /** Begins with `/`, encoded. */
  path: string;
  query: Pair[];
  headers: Record<string, string>;
  cookies: Pair[];
  body: RequestBody;
};

/**
 * The request that arguments mean. They have been held to the tool's schema before; here nothing may become more than a value.
 * @throws RemitError `invalid-arguments`
 */
export function apiRequest(operation: ApiOperation, args: JsonObject): ApiRequest {
  const request: ApiRequest = {
    method: operation.method,
    path: operation.path,
    query: [],
    headers: {},
    cookies: [],
    body: { type: "none" },
  };
  const inPath = new Map<string, string>();
  for (const parameter of operation.parameters) {
    const value = Object.hasOwn(args, parameter.argument) ? args[parameter.argument] : undefined;
    if (value === undefined || (value === null && parameter.in !== "path")) {
      if (parameter.in === "path")
        throw new RemitError("invalid-arguments", `The arguments lack ${parameter.argument}, which is part of the path.`);
      continue;
    }
    if (parameter.in === "path") inPath.set(parameter.name, pathText(parameter, value));
    else if (parameter.in === "query") request.query.push(...queryPairs(parameter, value));
    else if (parameter.in === "cookie") request.cookies.push(...cookiePairs(parameter, value));
    else request.headers[parameter.name.toLowerCase()] = headerText(parameter, value);
  }
  request.path = operation.path.replaceAll(/\{([^}]*)\}/g, (_, name: string) => inPath.get(name) ?? "");
  if (request.path.split("/").some((segment) => segment === "." || segment === ".."))
    throw new RemitError("invalid-arguments", "The arguments would lead out of the path of the operation.");
  request.body = bodyOf(operation, args);
  return request;
}

function bodyOf({ body }: ApiOperation, args: JsonObject): RequestBody {
  const value = body === null || !Object.hasOwn(args, body.argument) ? undefined : args[body.argument];
  if (body === null || value === undefined) return { type: "none" };
  const { form, mediaType } = body;
  if (form === "json") return { type: "text", mediaType, content: JSON.stringify(value) };
  if (form === "text") return { type: "text", mediaType, content: plain(value) };
  if (form === "binary") return { type: "base64", mediaType, content: plain(value) };
  const fields = typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
  if (form === "form")
    return {
      type: "text",
      mediaType,
      content: formPairs(fields)
        .map((pair) => pair.join("="))
        .join("&"),
    };
  return { type: "multipart", parts: Object.entries(fields).flatMap(([name, member]) => partsOf(name, member, body.files.includes(name))) };
}

function partsOf(name: string, value: Json, isFile: boolean): RequestPart[] {
  const items = Array.isArray(value) ? value : [value];
  return items.map((item): RequestPart => {
    if (isFile) return { name, content: plain(item), encoding: "base64" };
    if (typeof item === "object" && item !== null) return { name, content: JSON.stringify(item), encoding: "json" };
    return { name, content: plain(item), encoding: "text" };
  });
}

function plain(value: Json): string {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
