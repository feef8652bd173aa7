import type { ShellWord } from "./shell-word.ts";

/** What a shell is started with: a command line, a file, or neither. `odd`: something else may run, or is read, first. */
export type ShellStart = { script: ShellWord | null; file: ShellWord | null; wantsScript: boolean; odd: boolean };

/** Long options of bash, which takes them with one dash as well. */
const plainOption =
  /^--?(?:debugger|dump-po-strings|dump-strings|help|login|noediting|noprofile|norc|posix|pretty-print|protected|restricted|verbose|version|wordexp)$/;

/** Reads the options of a shell as the shell does: `-co pipefail 'x'` takes `pipefail` for the option and runs `x`. */
export function readShellOptions(words: readonly ShellWord[]): ShellStart {
  let wantsScript = false;
  let odd = false;
  let at = 0;
  for (; at < words.length; at += 1) {
    const text = words[at]?.text ?? "";
    if (text === "--" || text === "-") {
      at += 1;
      break;
    }
    if (!/^[-+]./.test(text)) break;
    if (plainOption.test(text)) continue;
    const letters = /^[-+]([abefhiklmnprstuvxBCDEHPTcoO]+)$/.exec(text)?.[1];
    if (letters === undefined) {
      odd = true;
      continue;
    }
    wantsScript ||= letters.includes("c");
    at += letters.replace(/[^oO]/g, "").length;
  }
  const next = words[at] ?? null;
  return { script: wantsScript ? next : null, file: wantsScript ? null : next, wantsScript, odd };
}
