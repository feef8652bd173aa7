/** A line, a pattern or the last line, and ranges of them. */
const pattern = String.raw`\/(?:\\.|\[[^\]\n]*\]|[^\/\\\n[])*\/[IM]*`;
const place = String.raw`(?:\d+(?:~\d+)?|\$|${pattern})`;
const address = String.raw`(?:${place}(?:\s*,\s*(?:[+~]?\d+|\$|${pattern}))?\s*!?\s*)?`;
/** `s` with any sign between its parts, and flags that neither run nor write anything. */
const substitute = String.raw`s([^\w\s\\])(?:\\.|(?!\1)[^\\\n])*\1(?:\\[\s\S]|(?!\1)[^\\\n])*\1[gipIM\d]*`;
const transliterate = String.raw`y\/(?:\\.|[^\/\\\n])*\/(?:\\.|[^\/\\\n])*\/`;
const plain = String.raw`[pdqDPhHgGxnNlz=]`;
const text = String.raw`[aic](?:\\\n|\\?\s|\\)[^\n]*`;
const harmless = [
  ...[substitute, transliterate, plain, text].map((one) => new RegExp(`^\\s*\\{?\\s*${address}(?:\\{\\s*)?${one}\\s*\\}?\\s*(?:;|\\n|$)`)),
  /^\s*[{}]?\s*(?:;|\n|$)/,
];

/** Why what sed is given may run programs or write files that are not named beside it. Null: it may not. */
export function sedFault(words: readonly string[]): string | null {
  const scripts = scriptsOf(words);
  if (scripts === null) return "sed is given options or a script that are not known here";
  return scripts.every(isHarmless) ? null : "sed is given a script that may run programs or write files";
}

function isHarmless(script: string): boolean {
  for (let rest = script; rest.trim() !== "";) {
    const [found] = harmless.map((one) => one.exec(rest)?.[0] ?? "").filter((one) => one !== "");
    if (found === undefined) return false;
    rest = rest.slice(found.length);
  }
  return true;
}

/** Null: there is a file of commands, or an option whose words are not known. */
function scriptsOf(words: readonly string[]): string[] | null {
  const scripts: string[] = [];
  const operands: string[] = [];
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? "";
    if (word === "--") {
      operands.push(...words.slice(at + 1));
      break;
    }
    if (word.startsWith("--")) {
      const [name, value] = split(word);
      if (name.length > 4 && "--expression".startsWith(name)) scripts.push(value ?? words[(at += 1)] ?? "");
      else if (!/^--(?:quiet|silent|regexp-extended|in-place|null-data|separate|unbuffered|posix|sandbox|debug|help|version)$/.test(name))
        return null;
    } else if (word.startsWith("-") && word.length > 1) {
      const letter = /^-[nErsuz]*([^nErsuz].*)?$/s.exec(word)?.[1] ?? "";
      if (letter.startsWith("e")) scripts.push(letter.length > 1 ? letter.slice(1) : (words[(at += 1)] ?? ""));
      else if (letter !== "" && !letter.startsWith("i")) return null;
    } else operands.push(word);
  }
  // BSD's `-i` takes the empty word that GNU's takes for the script.
  return scripts.length > 0 ? scripts : operands.slice(0, operands.findIndex((one) => one !== "") + 1);
}

function split(word: string): [string, string?] {
  const at = word.indexOf("=");
  return at === -1 ? [word] : [word.slice(0, at), word.slice(at + 1)];
}
