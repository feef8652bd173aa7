import type { CedarValueJson } from "@cedar-policy/cedar-wasm/nodejs";
import type { Reads } from "./reads.ts";
import { pathWords } from "./reads.ts";
import type { Member, RecordType, ValueType } from "./value-type.ts";

/** A value that policy needs and Cedar cannot hold. The message is for the person who is refused. */
export class Unreadable extends Error {}

/** Of a record's type, what is read. */
export function projectType(type: RecordType, reads: Reads): RecordType {
  const members: [string, Member][] = [];
  for (const [name, child] of reads.members) {
    const member = type.members.get(name);
    if (member === undefined) continue;
    members.push([name, member.type.kind === "record" ? { ...member, type: projectType(member.type, child) } : member]);
  }
  return { kind: "record", members: new Map(members) };
}

/**
 * A value as a projected type describes it, for Cedar. Members that the type does not have are dropped; every other must be
 * exactly what it says, because a text that looks like a number or a fraction would make a policy err or lie.
 */
export function projectValue(type: ValueType, value: unknown, path: Path | null): CedarValueJson {
  switch (type.kind) {
    case "string":
      if (typeof value !== "string") throw wrong(path, "a text", value);
      if (!value.isWellFormed()) throw wrong(path, "well-formed text", value);
      return value;
    case "integer":
      if (typeof value !== "number" || !Number.isSafeInteger(value)) throw wrong(path, "an integer within ±(2^53 - 1)", value);
      return value;
    case "boolean":
      if (typeof value !== "boolean") throw wrong(path, "true or false", value);
      return value;
    case "set": {
      const element: ValueType = { kind: type.element, values: null };
      if (!Array.isArray(value)) throw wrong(path, "an array", value);
      return value.map((item: unknown, index) => projectValue(element, item, { name: String(index), of: path }));
    }
    case "teams":
      if (!Array.isArray(value)) throw wrong(path, "an array", value);
      return value.map((team: unknown) => ({ __entity: { type: "Remit::Team", id: String(team) } }));
    case "record": {
      if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrong(path, "an object", value);
      // By assignment: no type has a member whose name begins with `__`.
      const projected: Record<string, CedarValueJson> = {};
      for (const [name, member] of type.members) {
        const given: unknown = Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
        if (given !== undefined && (given !== null || !member.nullable))
          projected[name] = projectValue(member.type, given, { name, of: path });
        else if (member.required) throw new Unreadable(`${pathWords(namesOf({ name, of: path }))} is missing`);
      }
      return projected;
    }
  }
}

/** Where a value stands, from the inside out: only a refusal pays for its words. */
type Path = { name: string; of: Path | null };

function namesOf(path: Path | null): string[] {
  return path === null ? [] : [...namesOf(path.of), path.name];
}

function wrong(path: Path | null, expected: string, value: unknown): Unreadable {
  return new Unreadable(`${pathWords(namesOf(path))} must be ${expected} and is ${wordsOf(value)}`);
}

function wordsOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  switch (typeof value) {
    case "string":
      return `the text ${JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)}`;
    case "number":
      return Number.isInteger(value) ? `${value}, beyond what is exact` : `the fraction ${value}`;
    case "object":
      return "an object";
    default:
      return `a ${typeof value}`;
  }
}
