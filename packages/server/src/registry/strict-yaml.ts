import type { Issue } from "@remit/contract";
import { pointerStep } from "@remit/contract";
import type { Place } from "@remit/core";
import { isMap, isScalar, isSeq, LineCounter, parseAllDocuments, visit } from "yaml";
import type { Document, Node, Scalar, YAMLMap, YAMLSeq } from "yaml";

export type YamlDocument = { value: unknown; place: Place };

/**
 * The documents of a YAML file, or what is wrong with it. YAML 1.2, and of that what two readers could not read differently:
 * no anchors or aliases (which could also grow without bound), no tags, no keys that are not plain text, no key twice.
 */
export function readYaml(file: string, text: string): { documents: YamlDocument[]; issues: Issue[] } {
  const lines = new LineCounter();
  const parsed = parse(text, lines);
  if (parsed === null) return { documents: [], issues: [{ message: "the file is nested too deeply to be read", file }] };
  const issues = parsed.flatMap((document) =>
    faults(document).map(({ message, offset }) => ({ message, file, line: lines.linePos(offset).line })),
  );
  if (issues.length > 0) return { documents: [], issues };
  const documents = parsed
    .filter((document) => !isEmpty(document))
    .map((document): YamlDocument => {
      const value: unknown = document.toJS();
      return { value, place: { file, line: (pointer) => lineOf(document.contents, pointer, lines) } };
    });
  return documents.length === 0 ? { documents, issues: [{ message: "the file holds no document", file, line: 1 }] } : { documents, issues };
}

function parse(text: string, lineCounter: LineCounter): Document.Parsed[] | null {
  try {
    const parsed = parseAllDocuments(text, {
      lineCounter,
      version: "1.2",
      schema: "core",
      strict: true,
      uniqueKeys: false,
      merge: false,
      prettyErrors: false,
    });
    return Array.isArray(parsed) ? parsed : [];
  } catch (error) {
    // The reader recurses; so many brackets exhaust its stack.
    if (error instanceof RangeError) return null;
    throw error;
  }
}

const tooDeep = "nested too deeply to be read";

/** Deeper than any document of ours; shallow enough for every walk over it. */
const maxDepth = 32;

function faults(document: Document.Parsed): { message: string; offset: number }[] {
  const found = [...document.errors, ...document.warnings].map((error) => ({
    message: yamlWords(error.code, error.message),
    offset: error.pos[0],
  }));
  // One slip makes many: the first few say what it was.
  if (found.length > 0) return found.slice(0, found[0]?.message === tooDeep ? 1 : 3);
  const check = (node: Scalar | YAMLMap | YAMLSeq, path: readonly unknown[]) => {
    const offset = node.range?.[0] ?? 0;
    if (node.anchor !== undefined) found.push({ message: "anchors are not taken; write the value out where it is needed", offset });
    if (node.tag !== undefined) found.push({ message: `the tag ${node.tag} is not taken; write a plain value`, offset });
    if (path.length <= maxDepth * 2) return undefined;
    found.push({ message: `nested deeper than ${maxDepth}`, offset });
    return visit.BREAK;
  };
  visit(document, {
    Alias: (_key, alias) => {
      found.push({ message: "aliases are not taken; write the value out", offset: alias.range?.[0] ?? 0 });
    },
    Scalar: (_key, scalar, path) => check(scalar, path),
    Seq: (_key, seq, path) => check(seq, path),
    Map: (_key, map, path) => {
      // The reader's own check of keys takes quadratic time.
      const keys = new Set<unknown>();
      for (const { key } of map.items) {
        const offset = (key as Node | null)?.range?.[0] ?? 0;
        if (!isScalar(key) || typeof key.value !== "string") found.push({ message: "a key must be text; put it in quotes", offset });
        else if (keys.has(key.value)) found.push({ message: "the same key is given twice; remove one", offset });
        else keys.add(key.value);
      }
      return check(map, path);
    },
  });
  return found;
}

function yamlWords(code: string, message: string): string {
  switch (code) {
    case "TAB_AS_INDENT":
      return "a tab is used to indent; use spaces";
    default:
      // The reader recurses, and reports an exhausted stack as an error of the document, as often as it meets one.
      if (message.includes("call stack")) return tooDeep;
      return `not valid YAML: ${message.split("\n", 1)[0] ?? message}`;
  }
}

function isEmpty(document: Document.Parsed): boolean {
  return document.contents === null || (isScalar(document.contents) && document.contents.value === null);
}

/** The line of the deepest part of the pointer that was written down: the key of a member, the start of an element. */
function lineOf(contents: Node | null, pointer: string, lines: LineCounter): number | undefined {
  let node: unknown = contents;
  let offset = contents?.range?.[0];
  for (const step of pointer.split("/").slice(1)) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && pointerStep(String(key.value)) === `/${step}`);
      if (pair === undefined) break;
      offset = (pair.key as Node).range?.[0] ?? offset;
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(step)];
      offset = (node as Node | undefined)?.range?.[0] ?? offset;
    } else break;
  }
  return offset === undefined ? undefined : lines.linePos(offset).line;
}
