import type { Json } from "@remit/contract";

/**
 * What JSON text says. As `JSON.parse`, but for names with an escape: V8 13.6 may take one of them for another that it has lately seen in
 * the same place, `"\u0061"` for a backslash, and whoever can have it read that one could hide a member from who looks for it.
 */
export function readJson(text: string): Json {
  const value = JSON.parse(text) as Json;
  return hasEscapedName(text) ? readByNames(text) : value;
}

function hasEscapedName(text: string): boolean {
  let escape = text.indexOf("\\");
  for (let at = text.indexOf('"'); escape !== -1 && at !== -1; at = text.indexOf('"', at + 1)) {
    at = endOfString(text, at);
    if (escape > at) continue;
    if (isName(text, at)) return true;
    escape = text.indexOf("\\", at);
  }
  return false;
}

/** Names without an escape stand in for those with one, until the text has been parsed. */
function readByNames(text: string): Json {
  const names = new Map<string, string>();
  const mark = crypto.randomUUID();
  let [written, from] = ["", 0];
  for (let at = text.indexOf('"'); at !== -1; at = text.indexOf('"', at + 1)) {
    const end = endOfString(text, at);
    const quoted = text.slice(at, end + 1);
    if (quoted.includes("\\") && isName(text, end)) {
      const stand = `${mark}${names.size}`;
      names.set(stand, nameOf(quoted));
      written += `${text.slice(from, at)}"${stand}"`;
      from = end + 1;
    }
    at = end;
  }
  return renamed(JSON.parse(written + text.slice(from)) as Json, names);
}

function renamed(value: Json, names: ReadonlyMap<string, string>): Json {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => renamed(item, names));
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [names.get(name) ?? name, renamed(member, names)]));
}

/** The next quote that no backslash escapes, in a text that has been parsed. By search: as fast as memory is read. */
export function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end;
}

function isEscaped(text: string, at: number): boolean {
  let before = at - 1;
  while (text.charCodeAt(before) === 0x5c) before -= 1;
  return (at - before) % 2 === 0;
}

/** A string in an object is a name exactly when a colon follows; a value is followed by a comma or the end. */
export function isName(text: string, end: number): boolean {
  let at = end + 1;
  while (text.charCodeAt(at) <= 0x20) at += 1;
  return text.charCodeAt(at) === 0x3a;
}

export function nameOf(quoted: string): string {
  return quoted.includes("\\") ? (JSON.parse(quoted) as string) : quoted.slice(1, -1);
}
