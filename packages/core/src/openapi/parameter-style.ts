import type { Json, JsonObject } from "@remit/contract";
import { RemitError } from "@remit/contract";
import type { ApiParameter } from "./operation.ts";

/** What a parameter contributes to a query or a cookie: encoded pairs. */
export type Pair = [name: string, value: string];

/**
 * The text of a path parameter, encoded. What could lead to another resource than the path says is refused, encoded or not: servers
 * and what stands before them differ in how often they decode.
 * @throws RemitError `invalid-arguments`
 */
export function pathText(parameter: ApiParameter, value: Json): string {
  const parts = texts(value);
  if (parts.length === 0) throw refused(parameter, "may not be empty");
  for (const text of parts) {
    const decoded = decodedFully(text);
    if (/[/\\?#]|\p{Cc}/u.test(decoded)) throw refused(parameter, "may not contain / \\ ? # or control characters, also not encoded");
    if (/^\.{1,2}$/.test(decoded)) throw refused(parameter, "may not be . or ..");
    if (text === "") throw refused(parameter, "may not be empty");
  }
  if (parameter.json) return encode(JSON.stringify(value));
  const { style, explode, name } = parameter;
  if (style === "label") return `.${simple(value, explode, ".")}`;
  if (style === "matrix") return matrix(name, value, explode);
  return simple(value, explode, ",");
}

/** @throws RemitError `invalid-arguments` */
export function queryPairs(parameter: ApiParameter, value: Json): Pair[] {
  const { name, style, explode } = parameter;
  const text = parameter.allowReserved ? encodeReserved : encode;
  if (parameter.json) return [[encode(name), text(JSON.stringify(value))]];
  if (Array.isArray(value)) {
    if (value.length === 0) return [];
    if (explode) return value.map((item) => [encode(name), text(scalar(item))]);
    const separator = style === "spaceDelimited" ? "%20" : style === "pipeDelimited" ? "%7C" : ",";
    return [[encode(name), value.map((item) => text(scalar(item))).join(separator)]];
  }
  if (isObject(value)) {
    if (style === "deepObject") return deepPairs(encode(name), value, text);
    const members = Object.entries(value).filter(([, member]) => member !== null);
    if (explode) return members.map(([key, member]) => [encode(key), text(scalar(member))]);
    return [[encode(name), members.map(([key, member]) => `${encode(key)},${text(scalar(member))}`).join(",")]];
  }
  return [[encode(name), text(scalar(value))]];
}

/** Cookies carry what a query would, each under its own name. */
export function cookiePairs(parameter: ApiParameter, value: Json): Pair[] {
  return queryPairs({ ...parameter, allowReserved: false }, value);
}

/** @throws RemitError `invalid-arguments` when it could end the header and begin another one */
export function headerText(parameter: ApiParameter, value: Json): string {
  const text = parameter.json ? JSON.stringify(value) : plainSimple(value, parameter.explode);
  if (!/^[\u0020-\u007e]*$/.test(text)) throw refused(parameter, "may only contain printable ASCII, for it is sent in a header");
  return text.trim();
}

/** Pairs of a form: as a query in style form, and what is no plain value as JSON. */
export function formPairs(body: JsonObject): Pair[] {
  return Object.entries(body).flatMap(([name, value]): Pair[] => {
    const items = Array.isArray(value) ? value : [value];
    return items.map((item) => [encode(name), encode(typeof item === "object" && item !== null ? JSON.stringify(item) : scalar(item))]);
  });
}

function deepPairs(prefix: string, value: JsonObject, text: (value: string) => string): Pair[] {
  return Object.entries(value).flatMap(([key, member]): Pair[] => {
    const name = `${prefix}%5B${encode(key)}%5D`;
    if (Array.isArray(member)) return member.map((item) => [name, text(scalar(item))]);
    if (isObject(member)) return deepPairs(name, member, text);
    return member === null ? [] : [[name, text(scalar(member))]];
  });
}

function simple(value: Json, explode: boolean, separator: string): string {
  const between = explode ? separator : ",";
  if (Array.isArray(value)) return value.map((item) => encode(scalar(item))).join(between);
  if (isObject(value))
    return Object.entries(value)
      .map(([key, member]) => `${encode(key)}${explode ? "=" : ","}${encode(scalar(member))}`)
      .join(between);
  return encode(scalar(value));
}

function plainSimple(value: Json, explode: boolean): string {
  if (Array.isArray(value)) return value.map(scalar).join(",");
  if (isObject(value))
    return Object.entries(value)
      .map(([key, member]) => `${key}${explode ? "=" : ","}${scalar(member)}`)
      .join(",");
  return scalar(value);
}

function matrix(name: string, value: Json, explode: boolean): string {
  const key = encode(name);
  if (Array.isArray(value) && explode) return value.map((item) => `;${key}=${encode(scalar(item))}`).join("");
  if (isObject(value) && explode)
    return Object.entries(value)
      .map(([member, item]) => `;${encode(member)}=${encode(scalar(item))}`)
      .join("");
  return `;${key}=${simple(value, false, ",")}`;
}

/** What styles have no form for is sent as JSON: that is at least one thing that the other side can read. */
function scalar(value: Json): string {
  if (value === null) return "null";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function encode(text: string): string {
  if (!text.isWellFormed()) throw notText();
  // The rest of what RFC 3986 reserves; encodeURIComponent leaves it as it is.
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** Reserved characters stay, but for those that would end the value or the query. */
function encodeReserved(text: string): string {
  if (!text.isWellFormed()) throw notText();
  return encodeURI(text).replaceAll(/[&#+=]/g, encodeURIComponent);
}

function decodedFully(text: string): string {
  let current = text;
  for (let round = 0; round < 8; round += 1) {
    const next = current.replaceAll(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
    if (next === current) return current;
    current = next;
  }
  // Encoded more often than anybody needs.
  return "/";
}

function texts(value: Json): string[] {
  if (Array.isArray(value)) return value.flatMap(texts);
  if (isObject(value)) return Object.entries(value).flatMap(([key, member]) => [key, ...texts(member)]);
  return [scalar(value)];
}

function isObject(value: Json): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function notText(): RemitError {
  return new RemitError("invalid-arguments", "The arguments do not fit the request: they hold text that is not well-formed.");
}

function refused({ argument }: ApiParameter, what: string): RemitError {
  const pointer = `/${argument.replaceAll("~", "~0").replaceAll("/", "~1")}`;
  return new RemitError("invalid-arguments", `The arguments do not fit the request: ${pointer} ${what}.`, {
    issues: [{ message: what, pointer }],
  });
}
