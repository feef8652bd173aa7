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
    case "number":
      if (!Number.isFinite(value)) throw new Refusal("a number that is not finite");
      if (Object.is(value, -0)) throw new Refusal("negative zero");
      if (Number.isInteger(value) && !Number.isSafeInteger(value)) throw new Refusal("an integer beyond 2^53 - 1; send it as text");
      return JSON.stringify(value);
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
  const prototype: unknown = Object.getPrototypeOf(value);
  // Dates, maps and class instances would all become {} and share a digest.
  if (prototype !== Object.prototype && prototype !== null) throw new Refusal("an object that is not plain JSON");
  let text = "{";
  for (const key of inOrder(Object.keys(value))) {
    if (text.length > 1) text += ",";
    text += `${writeName(key)}:${writeChild((value as Record<string, unknown>)[key], key, depth)}`;
  }
  return `${text}}`;
}

/** By UTF-16 code unit, as `sort` does without a comparison of its own. What is written often is mostly in order already. */
function inOrder(names: string[]): string[] {
  for (let index = 1; index < names.length; index += 1) {
    if ((names[index - 1] ?? "") > (names[index] ?? "")) return names.sort();
  }
  return names;
}

function writeChild(child: unknown, key: string, depth: number): string {
  try {
    return write(child, depth + 1);
  } catch (error) {
    if (error instanceof Refusal) error.path.unshift(key);
    throw error;
  }
}

/** Names as they are written. The same few come again and again; those of strangers do not push them out. */
const writtenNames = new Map<string, string>();
const maxWrittenNames = 2_000;

function writeName(name: string): string {
  const known = writtenNames.get(name);
  if (known !== undefined) return known;
  if (!name.isWellFormed()) throw new Refusal("a member name with a lone surrogate");
  const written = JSON.stringify(name);
  if (writtenNames.size < maxWrittenNames && written.length <= 64) writtenNames.set(name, written);
  return written;
}
