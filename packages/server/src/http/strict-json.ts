import type { Json } from "@remit/contract";
import { pointerStep, RemitError } from "@remit/contract";
import { maxDepth } from "@remit/core";
import { endOfString, isName, nameOf, readJson } from "../json/read-json.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Member names through which JavaScript code can be made to change the prototype of what it copies into. */
const refusedNames = new Set(["__proto__", "constructor"]);

/**
 * JSON as two parsers cannot disagree about it: valid UTF-8, no duplicate members, bounded depth, no member that reaches a prototype.
 * @throws RemitError `invalid-request`, with the JSON pointer or line and column.
 */
export function parseJson(bytes: Uint8Array): Json {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    throw refuse("The body is not valid UTF-8", "send the body as UTF-8", "");
  }
  let value: Json;
  try {
    value = readJson(text);
  } catch (error) {
    throw new RemitError("invalid-request", `The body is not valid JSON${whereOf(error, text)}`, {
      issues: [{ message: `not valid JSON${whereOf(error, text)}`, pointer: "" }],
    });
  }
  if (!isPlain(text, value)) throw flawOf(text);
  return value;
}

/**
 * Outside of strings there is one colon for each member, and JSON.parse keeps one of several members with the same name: whoever has
 * as many members as colons has each of them once. Where something is wrong, only a second look says what and where.
 */
function isPlain(text: string, value: Json): boolean {
  let [depth, colons] = [0, 0];
  for (let at = 0; at < text.length; at += 1) {
    switch (text.charCodeAt(at)) {
      case 0x7b: // {
      case 0x5b: // [
        depth += 1;
        if (depth > maxDepth) return false;
        break;
      case 0x7d: // }
      case 0x5d: // ]
        depth -= 1;
        break;
      case 0x3a: // :
        colons += 1;
        break;
      case 0x22: // "
        at = endOfString(text, at);
        break;
      default:
    }
  }
  return membersOf(value) === colons;
}

/** How many members there are in it, at any depth; not a number where one of them is refused. */
function membersOf(value: Json): number {
  if (typeof value !== "object" || value === null) return 0;
  let members = 0;
  if (Array.isArray(value)) {
    for (const item of value) members += membersOf(item);
    return members;
  }
  for (const name of Object.keys(value)) {
    if (refusedNames.has(name)) return Number.NaN;
    members += 1 + membersOf(value[name] ?? null);
  }
  return members;
}

/** One open object or array of the text: where it is, and the names that it has had so far. */
type Open = { names: Set<string> | null; step: string; index: number };

/** What is wrong with a text that JSON.parse has accepted: the parsed value no longer shows it. A loop: depth costs no stack. */
function flawOf(text: string): RemitError {
  const open: Open[] = [];
  const pointer = () => open.map((level) => level.step).join("");
  for (let at = 0; at < text.length; at += 1) {
    switch (text.charCodeAt(at)) {
      case 0x7b: // {
      case 0x5b: // [
        if (open.length >= maxDepth) return refuse(`The body nests deeper than ${maxDepth}`, `nesting deeper than ${maxDepth}`, pointer());
        open.push(text.charCodeAt(at) === 0x7b ? { names: new Set(), step: "", index: 0 } : { names: null, step: "/0", index: 0 });
        break;
      case 0x7d: // }
      case 0x5d: // ]
        open.pop();
        break;
      case 0x2c: {
        // ,
        const level = open.at(-1);
        if (level?.names === null) {
          level.index += 1;
          level.step = `/${level.index}`;
        }
        break;
      }
      case 0x22: {
        // "
        const end = endOfString(text, at);
        const level = open.at(-1);
        if (level?.names && isName(text, end)) {
          const name = nameOf(text.slice(at, end + 1));
          level.step = pointerStep(name);
          if (refusedNames.has(name))
            return refuse(`The body has a member named ${name}`, `a member named ${name} is not accepted`, pointer());
          if (level.names.has(name)) return refuse("The body has the same member twice", "the same member appears twice", pointer());
          level.names.add(name);
        }
        at = end;
        break;
      }
      default:
    }
  }
  return refuse("The body is not plain JSON", "the members of the body could not be counted", "");
}

/** V8 quotes the text in its message; only the position, where it gives one, is passed on. */
function whereOf(error: unknown, text: string): string {
  const position = /at position (\d+)/.exec(error instanceof Error ? error.message : "")?.[1];
  if (position === undefined) return "";
  const before = text.slice(0, Number(position)).split("\n");
  return ` at line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
}

function refuse(detail: string, message: string, pointer: string): RemitError {
  return new RemitError("invalid-request", detail, { issues: [{ message, pointer }] });
}
