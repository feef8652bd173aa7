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
  return write(value, "", 0);
}

function write(value: unknown, pointer: string, depth: number): string {
  if (value === null) return "null";
  switch (typeof value) {
    case "boolean":
      return value ? "true" : "false";
    case "string":
      if (!value.isWellFormed()) throw refuse("text with a lone surrogate", pointer);
      return JSON.stringify(value);
    case "number":
      if (!Number.isFinite(value)) throw refuse("a number that is not finite", pointer);
      if (Object.is(value, -0)) throw refuse("negative zero", pointer);
      if (Number.isInteger(value) && !Number.isSafeInteger(value)) throw refuse("an integer beyond 2^53 - 1; send it as text", pointer);
      return JSON.stringify(value);
    case "object":
      if (depth >= maxDepth) throw refuse(`nesting deeper than ${maxDepth}`, pointer);
      return Array.isArray(value) ? writeArray(value, pointer, depth) : writeObject(value, pointer, depth);
    default:
      throw refuse(`a ${typeof value}`, pointer);
  }
}

function writeArray(value: readonly unknown[], pointer: string, depth: number): string {
  // An index loop, not map: map skips holes, and a hole is not a JSON value.
  const parts: string[] = [];
  for (let index = 0; index < value.length; index += 1) parts.push(write(value[index], `${pointer}/${index}`, depth + 1));
  return `[${parts.join(",")}]`;
}

function writeObject(value: object, pointer: string, depth: number): string {
  const prototype: unknown = Object.getPrototypeOf(value);
  // Dates, maps and class instances would all become {} and share a digest.
  if (prototype !== Object.prototype && prototype !== null) throw refuse("an object that is not plain JSON", pointer);
  const members = Object.keys(value)
    .sort(byCodeUnit)
    .map((key) => {
      if (!key.isWellFormed()) throw refuse("a member name with a lone surrogate", pointer);
      const child: unknown = (value as Record<string, unknown>)[key];
      return `${JSON.stringify(key)}:${write(child, `${pointer}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`, depth + 1)}`;
    });
  return `{${members.join(",")}}`;
}

function byCodeUnit(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

function refuse(what: string, pointer: string): RemitError {
  const at = pointer === "" ? "the top" : pointer;
  return new RemitError("invalid-arguments", `${what} at ${at} has no canonical form`, {
    issues: [{ message: `${what} is not accepted`, pointer }],
  });
}
