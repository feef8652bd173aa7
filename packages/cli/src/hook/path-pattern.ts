import { expandBraces } from "./shell-word.ts";

/**
 * A test of paths by a pattern: `**` for any folders, hidden ones as well; `*`, `?`, `[a-z]` and `{a,b}` within one name. What is below
 * something that fits, fits. Case is ignored: on some file systems .GIT is .git.
 */
export function pathPattern(patterns: readonly string[]): (path: string) => boolean {
  const sources = patterns.flatMap((pattern) => expandBraces(pattern) ?? [pattern]).map(sourceOf);
  const all = new RegExp(`^(?:${sources.join("|")})(?:/|$)`, "i");
  return (path) => all.test(path);
}

function sourceOf(pattern: string): string {
  const absolute = pattern.startsWith("/");
  const parts = pattern.split("/").filter((part) => part !== "");
  const last = parts.length - 1;
  const source = parts.map((part, index) => {
    if (part === "**") return index === last ? "[^/]+" : "(?:[^/]+/)*";
    const name = part.replace(/\[[^\]]+\]|[\s\S]/g, nameSource);
    return index === last ? name : `${name}/`;
  });
  // Paths are absolute; a pattern that begins with folders of any number says so by itself.
  return `${absolute || parts[0] === "**" ? "/" : ""}${source.join("")}`;
}

function nameSource(sign: string): string {
  if (sign === "*") return "[^/]*";
  if (sign === "?") return "[^/]";
  if (sign.length > 1) return sign.replace(/^\[!/, "[^").replaceAll("\\", "\\\\");
  return sign.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}
