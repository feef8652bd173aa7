import type { DoubleQuotedChild, Word, WordPart } from "unbash";

/** What a word of a command line will be when it is run. `exact`: nothing in it depends on anything that is not known here. */
export type ShellWord = { text: string; exact: boolean; glob: boolean };

export type Known = { home: string; folder: string };

/** Reads a word: quotes taken away, `~` and the two variables that are known put in. */
export function readWord(word: Word, known: Known): ShellWord {
  const parts: readonly (WordPart | DoubleQuotedChild)[] | undefined = word.parts;
  const read = parts === undefined ? { text: word.value, exact: true, glob: false } : joined(parts, known);
  const unquoted = parts === undefined || parts[0]?.type === "Literal";
  if (!unquoted || !word.text.startsWith("~")) return read;
  if (read.text === "~" || read.text.startsWith("~/")) return { ...read, text: known.home + read.text.slice(1) };
  // Somebody else's home, or a folder of the stack.
  return { ...read, exact: false };
}

function joined(parts: readonly (WordPart | DoubleQuotedChild)[], known: Known): ShellWord {
  const read = parts.map((part) => readPart(part, known));
  return {
    text: read.map(({ text }) => text).join(""),
    exact: read.every(({ exact }) => exact),
    glob: read.some(({ glob }) => glob),
  };
}

function readPart(part: WordPart | DoubleQuotedChild, known: Known): ShellWord {
  switch (part.type) {
    case "Literal":
    case "SingleQuoted":
    case "AnsiCQuoted":
      return { text: part.value, exact: true, glob: false };
    case "DoubleQuoted":
      return { ...joined(part.parts, known), glob: false };
    case "Glob":
    case "BraceExpansion":
      return { text: part.text, exact: true, glob: true };
    case "SimpleExpansion":
    case "ParameterExpansion": {
      const value = { $HOME: known.home, "${HOME}": known.home, $PWD: known.folder, "${PWD}": known.folder }[part.text];
      return value === undefined ? { text: part.text, exact: false, glob: false } : { text: value, exact: true, glob: false };
    }
    default:
      return { text: part.text, exact: false, glob: false };
  }
}

const mostAlternatives = 256;

/** `a{b,c}` as `ab` and `ac`. Ranges are left as they are. Null: more than can be looked at. */
export function expandBraces(text: string): string[] | null {
  const found = /^(.*?)\{([^{}]*,[^{}]*)\}(.*)$/s.exec(text);
  if (found === null) return [text];
  const [, before = "", inside = "", after = ""] = found;
  const all: string[] = [];
  for (const choice of inside.split(",")) {
    const rest = expandBraces(`${before}${choice}${after}`);
    if (rest === null || all.length + rest.length > mostAlternatives) return null;
    all.push(...rest);
  }
  return all;
}
