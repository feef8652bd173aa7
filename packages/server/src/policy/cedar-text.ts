import type { Issue } from "@remit/contract";

/** One policy of a file, as it was written. */
export type Statement = { text: string; line: number };

/** Cedar's parser recurses: nesting that it cannot take corrupts the instance that it runs in. No written policy comes near this. */
const maxNesting = 32;
const maxFileLength = 256 * 1024;

/**
 * Cuts a file into its policies, knowing only strings, comments, brackets and `;`. Cedar's own splitter gives no lines, and must
 * not see text whose nesting has not been looked at.
 */
export function splitPolicies(file: string, text: string): { statements: Statement[]; issues: Issue[] } {
  const statements: Statement[] = [];
  const refuse = (line: number, message: string) => ({ statements: [], issues: [{ file, line, message }] });
  if (text.length > maxFileLength) return refuse(1, `The file is longer than ${maxFileLength / 1024} KiB; split it.`);
  if (!text.isWellFormed() || text.includes("\0")) return refuse(1, "The file is not well-formed UTF-8 text.");

  const token = /"(?:[^"\\\n]|\\.)*"|\/\/[^\n]*|[([{]|[)\]}]|;|\n|"|[^\s]/g;
  let line = 1;
  let depth = 0;
  let start: { offset: number; line: number } | null = null;
  for (const match of text.matchAll(token)) {
    const found = match[0];
    if (found === "\n") line += 1;
    else if (found.startsWith("//")) continue;
    else {
      start ??= { offset: match.index, line };
      if (found === '"') return refuse(line, "A text is not closed before the end of the line.");
      if ("([{".includes(found)) depth += 1;
      if (")]}".includes(found)) depth -= 1;
      if (depth > maxNesting) return refuse(line, `Brackets are nested deeper than ${maxNesting}; write it flatter.`);
      if (found === ";" && depth <= 0) {
        statements.push({ text: text.slice(start.offset, match.index + 1), line: start.line });
        start = null;
        depth = 0;
      }
    }
  }
  if (start !== null) return refuse(start.line, "This policy does not end: a ; or a closing bracket is missing.");
  return { statements, issues: [] };
}
