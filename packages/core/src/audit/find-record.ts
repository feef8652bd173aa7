import type { Json } from "@remit/contract";

/** How deep and how wide a payload is searched: what an agent was sent may be of any shape. */
const limits = { depth: 32, values: 20_000 };

/**
 * Where a record is named in a value: JSON pointers of every scalar, or name of a member, that is the record. Text that itself is JSON
 * is looked into, since that is how tools answer; other text names a record where it stands as a word of its own.
 */
export function findRecord(value: Json, record: string, pointer: string): string[] {
  const found: string[] = [];
  let left = limits.values;

  function look(at: Json, where: string, depth: number): void {
    left -= 1;
    if (left < 0 || depth > limits.depth) return;
    if (typeof at === "object" && at !== null) {
      for (const [key, member] of Array.isArray(at) ? at.entries() : Object.entries(at)) {
        const place = `${where}/${String(key).replaceAll("~", "~0").replaceAll("/", "~1")}`;
        if (key === record) found.push(place);
        look(member, place, depth + 1);
      }
      return;
    }
    if (at === null || typeof at === "boolean") return;
    if (String(at) === record) return void found.push(where);
    if (typeof at !== "string" || !at.includes(record)) return;
    const inner = jsonIn(at);
    if (inner !== null) look(inner, where, depth + 1);
    else if (isWordOf(at, record)) found.push(where);
  }

  look(value, pointer, 0);
  return found;
}

function jsonIn(text: string): Json | null {
  if (!/^\s*[[{]/.test(text)) return null;
  try {
    return JSON.parse(text) as Json;
  } catch {
    return null;
  }
}

/** Ticket 1 is not ticket 12, and not T-1 either. */
function isWordOf(text: string, record: string): boolean {
  for (let at = text.indexOf(record); at !== -1; at = text.indexOf(record, at + 1)) {
    if (!isPartOfWord(text[at - 1]) && !isPartOfWord(text[at + record.length])) return true;
  }
  return false;
}

function isPartOfWord(character: string | undefined): boolean {
  return character !== undefined && /[\p{L}\p{N}_-]/u.test(character);
}
