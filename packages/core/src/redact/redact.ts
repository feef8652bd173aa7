import type { Json } from "@remit/contract";

/** What stands where something was redacted. */
export const redactedText = "[redacted]";

/**
 * A copy of a JSON value in which everything that a pointer (RFC 6901, `*` for every element or member) names is replaced.
 * A pointer that names nothing changes nothing: a field that is absent cannot leak.
 */
export function redact(value: Json, pointers: readonly string[]): Json {
  return pointers.reduce<Json>((current, pointer) => replaceAt(current, parsePointer(pointer)), value);
}

/** What a pointer without `*` names, or undefined. Only own members count. */
export function valueAt(value: Json, pointer: string): Json | undefined {
  let current: Json | undefined = value;
  for (const token of parsePointer(pointer)) {
    if (typeof current !== "object" || current === null) return undefined;
    if (Array.isArray(current)) current = /^(0|[1-9]\d*)$/.test(token) ? current[Number(token)] : undefined;
    else current = Object.hasOwn(current, token) ? current[token] : undefined;
  }
  return current;
}

/** Everything that a pointer (`*` for every element or member) names. */
export function valuesAt(value: Json, pointer: string): Json[] {
  let found: Json[] = [value];
  for (const token of parsePointer(pointer)) {
    found = found.flatMap((current) => {
      if (typeof current !== "object" || current === null) return [];
      if (token === "*") return Object.values(current);
      const isMember = Array.isArray(current) ? /^(0|[1-9]\d*)$/.test(token) : Object.hasOwn(current, token);
      const member: Json | undefined = isMember ? (current as Record<string, Json>)[token] : undefined;
      return member === undefined ? [] : [member];
    });
  }
  return found;
}

function parsePointer(pointer: string): string[] {
  return pointer
    .split("/")
    .slice(1)
    .map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function replaceAt(value: Json, path: readonly string[]): Json {
  const [token, ...rest] = path;
  if (token === undefined) return redactedText;
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value))
    return value.map((element, index) => (token === "*" || token === String(index) ? replaceAt(element, rest) : element));
  // fromEntries defines members, so a member called __proto__ stays a member.
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key, token === "*" || token === key ? replaceAt(member, rest) : member]),
  );
}
