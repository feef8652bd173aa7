import type { Json } from "@remit/contract";
import { RemitError } from "@remit/contract";

/** Deeper values are refused: nothing that an agent says needs more, and recursion stays bounded. */
export const maxDepth = 64;

/**
 * Strict canonical JSON (RFC 8785, of parsed JSON values only): members sorted by UTF-16 code unit, no white space,
 * numbers as ECMAScript prints them. Two values have the same text exactly when they are the same JSON value.
 *
 * Refused, because two readers could disagree about them: anything that `JSON.parse` cannot return, lone surrogates,
 * `-0`, integers beyond ±(2^53 − 1), and depth over {@link maxDepth}.
 *
 * @throws RemitError `invalid-arguments`, naming the JSON pointer.
 */
export function canonicalJson(value: Json): string {
  const inOrder = ordered(value, 0);
  if (inOrder !== undefined) {
    const text = JSON.stringify(inOrder);
    // Besides a backslash before these letters, a lone surrogate alone is written so.
    if (!text.includes("\\ud")) return text;
  }
  return spelled(value);
}

/**
 * The value with all members in canonical order, itself where they are: `JSON.stringify` writes it as it stands, several times as fast as
 * it can be spelled, and leaves no string for each part behind. Undefined where an object cannot hold it so, and where it is refused.
 */
function ordered(value: unknown, depth: number): unknown {
  switch (typeof value) {
    case "boolean":
    case "string":
      return value;
    case "number":
      return refusedNumber(value) === null ? value : undefined;
    case "object":
      if (value === null) return null;
      if (depth >= maxDepth) return undefined;
      return Array.isArray(value) ? orderedArray(value, depth + 1) : orderedObject(value as Members, depth + 1);
    default:
      return undefined;
  }
}

type Members = Record<string, unknown>;

function orderedArray(values: readonly unknown[], depth: number): readonly unknown[] | undefined {
  let copy: unknown[] | null = null;
  for (let index = 0; index < values.length; index += 1) {
    const item = ordered(values[index], depth);
    if (item === undefined) return undefined;
    if (item === values[index]) continue;
    copy ??= [...values];
    copy[index] = item;
  }
  return copy ?? values;
}

function orderedObject(value: Members, depth: number): Members | undefined {
  if (!isPlain(value)) return undefined;
  if (!isInOrder(value)) return sortedCopy(value, depth);
  let copy: Members | null = null;
  for (const name in value) {
    const member = ordered(value[name], depth);
    if (member === undefined) return undefined;
    if (member === value[name]) continue;
    copy ??= { ...value };
    copy[name] = member;
  }
  return copy ?? value;
}

function isInOrder(value: Members): boolean {
  let before = "";
  for (const name in value) {
    if (name < before) return false;
    before = name;
  }
  return true;
}

function sortedCopy(value: Members, depth: number): Members | undefined {
  const copy: Members = {};
  for (const name of sorted(Object.keys(value))) {
    // Whole numbers come first in every object, in their own order.
    const member = name === "__proto__" || isDigit(name.charCodeAt(0)) ? undefined : ordered(value[name], depth);
    if (member === undefined) return undefined;
    copy[name] = member;
  }
  return copy;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** By UTF-16 code unit, as `sort` does without a comparison of its own; that makes work arrays for however few. */
function sorted(names: string[]): string[] {
  if (names.length > 24) return names.sort();
  for (let end = 1; end < names.length; end += 1) {
    const name = names[end] ?? "";
    let at = end;
    for (; at > 0 && (names[at - 1] ?? "") > name; at -= 1) names[at] = names[at - 1] ?? "";
    names[at] = name;
  }
  return names;
}

/** Dates, maps and class instances would all become {} and share a digest. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function refusedNumber(value: number): string | null {
  if (!Number.isFinite(value)) return "a number that is not finite";
  if (Object.is(value, -0)) return "negative zero";
  return Number.isInteger(value) && !Number.isSafeInteger(value) ? "an integer beyond 2^53 - 1; send it as text" : null;
}

/** The same text, part by part: of what no object holds in order, and to say what is refused, and where. */
function spelled(value: Json): string {
  try {
    return write(value, 0);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const pointer = error.path.map((key) => `/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
    throw new RemitError("invalid-arguments", `${error.what} at ${pointer === "" ? "the top" : pointer} has no canonical form`, {
      issues: [{ message: `${error.what} is not accepted`, pointer }],
    });
  }
}

/** Its path is gathered on the way out: only a refusal pays for knowing where it was. */
class Refusal extends Error {
  readonly what: string;
  readonly path: string[] = [];

  constructor(what: string) {
    super(what);
    this.what = what;
  }
}

function write(value: unknown, depth: number): string {
  if (value === null) return "null";
  switch (typeof value) {
    case "boolean":
      return value ? "true" : "false";
    case "string":
      if (!value.isWellFormed()) throw new Refusal("text with a lone surrogate");
      return JSON.stringify(value);
    case "number": {
      const refused = refusedNumber(value);
      if (refused !== null) throw new Refusal(refused);
      return JSON.stringify(value);
    }
    case "object":
      if (depth >= maxDepth) throw new Refusal(`nesting deeper than ${maxDepth}`);
      return Array.isArray(value) ? writeArray(value, depth) : writeObject(value, depth);
    default:
      throw new Refusal(`a ${typeof value}`);
  }
}

function writeArray(value: readonly unknown[], depth: number): string {
  let text = "[";
  // An index loop, not map: map skips holes, and a hole is not a JSON value.
  for (let index = 0; index < value.length; index += 1) {
    if (index > 0) text += ",";
    text += writeChild(value[index], String(index), depth);
  }
  return `${text}]`;
}

function writeObject(value: object, depth: number): string {
  if (!isPlain(value)) throw new Refusal("an object that is not plain JSON");
  let text = "{";
  for (const key of Object.keys(value).sort()) {
    if (text.length > 1) text += ",";
    if (!key.isWellFormed()) throw new Refusal("a member name with a lone surrogate");
    text += `${JSON.stringify(key)}:${writeChild((value as Members)[key], key, depth)}`;
  }
  return `${text}}`;
}

function writeChild(child: unknown, key: string, depth: number): string {
  try {
    return write(child, depth + 1);
  } catch (error) {
    if (error instanceof Refusal) error.path.unshift(key);
    throw error;
  }
}
