import type { Detector, Json, JsonObject } from "@remit/contract";
import { detect, usualDetectors } from "./detect.ts";
import { isSecretName } from "./secrets.ts";

/** What stands where something was redacted. */
export const redactedText = "[redacted]";

/**
 * A JSON value in which everything that a pointer (RFC 6901, `*` for every element or member) names is replaced. The same value where
 * pointers name nothing: a field that is absent cannot leak.
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

/** Pointers as they have been read: policies and tools declare few, and every call asks for them. */
const readPointers = new Map<string, readonly string[]>();
const maxReadPointers = 1_000;

function parsePointer(pointer: string): readonly string[] {
  const known = readPointers.get(pointer);
  if (known !== undefined) return known;
  const path = pointer
    .split("/")
    .slice(1)
    .map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));
  if (readPointers.size < maxReadPointers) readPointers.set(pointer, path);
  return path;
}

function replaceAt(value: Json, path: readonly string[], at = 0): Json {
  const token = path[at];
  if (token === undefined) return redactedText;
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    const items = value.map((item, index) => (token === "*" || token === String(index) ? replaceAt(item, path, at + 1) : item));
    return items.some((item, index) => item !== value[index]) ? items : value;
  }
  let replaced: JsonObject | null = null;
  for (const key of token === "*" ? Object.keys(value) : [token]) {
    const member: Json | undefined = Object.hasOwn(value, key) ? value[key] : undefined;
    if (member === undefined) continue;
    const left = replaceAt(member, path, at + 1);
    if (left === member) continue;
    // A copy has its members of its own, so one called __proto__ stays a member.
    replaced ??= { ...value };
    replaced[key] = left;
  }
  return replaced ?? value;
}

/** Text without what is found in it. The same text where nothing is. */
export function redactText(text: string, wanted: ReadonlySet<Detector> = usualDetectors): string {
  const found = detect(text, wanted);
  if (found.length === 0) return text;
  let result = "";
  let from = 0;
  for (const finding of found) {
    result += text.slice(from, finding.from) + redactedText;
    from = finding.to;
  }
  return result + text.slice(from);
}

export type Redaction = {
  /** Pointers to what may be shown: nothing else is, not even by its name. Without it, everything may. */
  allow?: readonly string[];
  /** What is looked for in what is left. */
  detect?: ReadonlySet<Detector>;
};

/**
 * The one way in which a value goes where people read along: logs, spans, what is shown of a result. What its tool does not declare to be
 * loggable does not reach them; in the rest, what has the shape of a secret or the checksum of an account is replaced. Pure, and linear in the
 * size of the value. The same value where nothing was to be done.
 */
export function redactValue(value: Json, { allow, detect: wanted = usualDetectors }: Redaction): Json {
  return found(allow === undefined ? value : allowed(value, allow), wanted);
}

/** Only what pointers name, in the shape in which it stood. */
function allowed(value: Json, pointers: readonly string[]): Json {
  const paths = pointers.map(parsePointer);
  return paths.some((path) => path.length === 0) ? value : (kept(value, paths) ?? {});
}

function kept(value: Json, paths: readonly (readonly string[])[]): Json | undefined {
  if (paths.some((path) => path.length === 0)) return value;
  if (typeof value !== "object" || value === null) return undefined;
  const below = (name: string): (readonly string[])[] =>
    paths.filter(([token]) => token === name || token === "*").map((path) => path.slice(1));
  if (Array.isArray(value)) {
    const items = value.map((item, index) => kept(item, below(String(index))));
    return items.every((item) => item === undefined) ? undefined : items.map((item) => item ?? redactedText);
  }
  const members = Object.entries(value).flatMap(([name, member]): [string, Json][] => {
    const left = kept(member, below(name));
    return left === undefined ? [] : [[name, left]];
  });
  return members.length === 0 ? undefined : Object.fromEntries(members);
}

/** Text in which nothing is repeated of what these values say: for messages of others, that tell what they were given. */
export function withoutValues(text: string, value: Json): string {
  let left = text;
  for (const said of leavesOf(value, []).sort((one, other) => other.length - one.length)) left = left.replaceAll(said, redactedText);
  return left;
}

/** Shorter ones stand in any text; more of them than this are not looked for. */
function leavesOf(value: Json, leaves: string[]): string[] {
  if (typeof value === "string" || typeof value === "number") {
    const said = String(value).trim();
    if (said.length >= 3 && leaves.length < 500) leaves.push(said);
  } else if (typeof value === "object" && value !== null) for (const member of Object.values(value)) leavesOf(member, leaves);
  return leaves;
}

function found(value: Json, wanted: ReadonlySet<Detector>): Json {
  if (typeof value === "string") return redactText(value, wanted);
  // A number that is long enough to be a card's.
  if (typeof value === "number") return value >= 1e12 && redactText(String(value), wanted) !== String(value) ? redactedText : value;
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    const items = value.map((item) => found(item, wanted));
    return items.some((item, index) => item !== value[index]) ? items : value;
  }
  let changed = false;
  const members = Object.entries(value).map(([name, member]): [string, Json] => {
    const isSecret = wanted.has("secret") && isSecretName(name) && (typeof member === "string" || typeof member === "number");
    const left = isSecret && member !== "" ? redactedText : found(member, wanted);
    const shownName = redactText(name, wanted);
    changed ||= left !== member || shownName !== name;
    return [shownName, left];
  });
  // fromEntries defines members, so a member called __proto__ stays a member.
  return changed ? Object.fromEntries(members) : value;
}
