import { redactedText } from "@remit/core";
import type { Redact } from "./broker.ts";

/**
 * The secrets that this process has opened, in every form in which text may repeat them: as they are, and in base64, base64url, hexadecimal,
 * URL, JSON and HTML escapes. A net, not a wall: whoever holds a secret can always write it down in a way that nobody looks for.
 */
export type KnownSecrets = Redact & {
  /** From now on, and until it is forgotten as often as it was added. */
  add(secrets: readonly string[]): void;
  forget(secrets: readonly string[]): void;
};

/** Shorter ones stand in ordinary text, which would be blotted out. */
const shortest = 6;

export function createKnownSecrets(): KnownSecrets {
  const counts = new Map<string, number>();
  let search: Search | null = null;

  function current(): Search | null {
    if (counts.size === 0) return null;
    return (search ??= searchFor([...new Set([...counts.keys()].flatMap(formsOf))]));
  }

  function text(value: string): string {
    return current()?.replace(value) ?? value;
  }

  function json<Value>(value: Value): Value {
    const found = current();
    return found === null ? value : (redactJson(value, found) as Value);
  }

  return {
    text,
    json,
    add(secrets) {
      for (const secret of secrets) {
        if (secret.length < shortest) continue;
        if (!counts.has(secret)) search = null;
        counts.set(secret, (counts.get(secret) ?? 0) + 1);
      }
    },
    forget(secrets) {
      for (const secret of secrets) {
        const left = (counts.get(secret) ?? 1) - 1;
        if (left > 0) counts.set(secret, left);
        else if (counts.delete(secret)) search = null;
      }
    },
  };
}

function redactJson(value: unknown, search: Search): unknown {
  if (typeof value === "string") return search.replace(value);
  if (typeof value === "number") return search.replace(String(value)) === String(value) ? value : redactedText;
  if (Array.isArray(value)) {
    const items: unknown[] = value;
    let clean: unknown[] | null = null;
    for (let index = 0; index < items.length; index += 1) {
      const item = redactJson(items[index], search);
      if (item !== items[index]) (clean ??= [...items])[index] = item;
    }
    return clean ?? value;
  }
  if (typeof value !== "object" || value === null) return value;
  const members = value as Record<string, unknown>;
  const names = Object.keys(members);
  // Nothing is made anew before something has been found: in most of what is said there is nothing.
  let clean: [string, unknown][] | null = null;
  for (let index = 0; index < names.length; index += 1) {
    const name = names[index] ?? "";
    const cleanName = search.replace(name);
    const member = redactJson(members[name], search);
    if (cleanName !== name || member !== members[name]) clean ??= names.slice(0, index).map((before) => [before, members[before]]);
    clean?.push([cleanName, member]);
  }
  return clean === null ? value : Object.fromEntries(clean);
}

/** Every form of one secret. */
function formsOf(secret: string): string[] {
  const json = JSON.stringify(secret).slice(1, -1);
  const url = encodeURIComponent(secret);
  const strict = url.replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
  const html = secret.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
  const named = secret.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
  const hex = Buffer.from(secret).toString("hex");
  const forms = [
    secret,
    json,
    json.replaceAll("/", String.raw`\/`),
    url,
    strict,
    strict.replaceAll("%20", "+"),
    lowerEscapes(url),
    lowerEscapes(strict),
    html,
    named,
    hex,
    hex.toUpperCase(),
    ...base64Forms(secret),
  ];
  // Of what spans lines (a private key), each line says enough.
  const lines = secret.includes("\n") ? secret.split(/\r?\n/).filter((line) => line.length >= 16 && !line.startsWith("-----")) : [];
  return [...forms, ...lines].filter((form) => form.length >= shortest);
}

function lowerEscapes(text: string): string {
  return text.replace(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase());
}

/** Base64 of the secret wherever it stands in what is encoded: three alignments, without the characters that its neighbours share. */
function base64Forms(secret: string): string[] {
  const bytes = Buffer.from(secret);
  return [0, 1, 2].flatMap((before) => {
    const encoded = Buffer.concat([Buffer.alloc(before), bytes])
      .toString("base64")
      .replace(/=+$/, "");
    const whole = encoded.slice(before === 0 ? 0 : before + 1, Math.floor(((before + bytes.length) * 8) / 6));
    return [whole, whole.replaceAll("+", "-").replaceAll("/", "_")];
  });
}

type Search = { replace(text: string): string };

const width = 3;
const slots = 1 << 16;

/** Looks for many needles in one pass: a table of the hashes of their first characters says where looking closer pays. */
function searchFor(needles: readonly string[]): Search {
  const table = new Uint8Array(slots);
  const bySlot = new Map<number, string[]>();
  let least = Infinity;
  // The longest first: one may begin with another.
  for (const needle of [...needles].sort((left, right) => right.length - left.length)) {
    const slot = slotAt(needle, 0);
    table[slot] = 1;
    bySlot.set(slot, [...(bySlot.get(slot) ?? []), needle]);
    least = Math.min(least, needle.length);
  }

  function replace(text: string): string {
    let result = "";
    let from = 0;
    for (let at = 0; at <= text.length - least;) {
      const slot = slotAt(text, at);
      const found = table[slot] === 1 ? bySlot.get(slot)?.find((needle) => text.startsWith(needle, at)) : undefined;
      if (found === undefined) {
        at += 1;
        continue;
      }
      result += text.slice(from, at) + redactedText;
      at += found.length;
      from = at;
    }
    return from === 0 ? text : result + text.slice(from);
  }

  return { replace };
}

function slotAt(text: string, at: number): number {
  let hash = 0;
  for (let index = 0; index < width; index += 1) hash = (hash * 31 + text.charCodeAt(at + index)) & (slots - 1);
  return hash;
}
