import type { TextChange } from "@remit/contract";
import { createTwoFilesPatch, diffLines, diffWordsWithSpace } from "diff";

/** Texts further apart than this are shown whole, before and after: nobody reads such a diff, and finding it takes long. */
const maxEditLength = 4_000;

/** A unified diff of one file. */
export function diffText(file: string, before: string, after: string): string {
  const from = before === "" ? "/dev/null" : `a/${file}`;
  const to = after === "" ? "/dev/null" : `b/${file}`;
  const patch = createTwoFilesPatch(from, to, before, after, undefined, undefined, { context: 3, maxEditLength });
  if (patch !== undefined) return patch.replace(/^=+\n/, "");
  return `--- ${from}\n+++ ${to}\n${prefixed("-", before)}${prefixed("+", after)}`;
}

/** What differs, word by word. */
export function diffWords(before: string, after: string): TextChange[] {
  return changes(diffWordsWithSpace(before, after, { maxEditLength }), before, after);
}

/** What differs, line by line: for JSON. */
export function diffOfLines(before: string, after: string): TextChange[] {
  return changes(diffLines(before, after, { maxEditLength }), before, after);
}

function changes(found: { value: string; added: boolean; removed: boolean }[] | undefined, before: string, after: string): TextChange[] {
  if (found === undefined)
    return [
      { type: "removed", text: before },
      { type: "added", text: after },
    ];
  return found.map(({ value, added, removed }) => ({ type: added ? "added" : removed ? "removed" : "same", text: value }));
}

function prefixed(sign: string, text: string): string {
  return text === "" ? "" : text.replace(/\n$/, "").replaceAll(/^/gm, sign).concat("\n");
}
