/** Lines that are taken away and lines that are added between two texts, those before and after the change left out. */
export function linesChanged(before: string, after: string): number {
  const old = lines(before);
  const now = lines(after);
  let start = 0;
  while (start < old.length && start < now.length && old[start] === now[start]) start += 1;
  let end = 0;
  while (end < old.length - start && end < now.length - start && old[old.length - 1 - end] === now[now.length - 1 - end]) end += 1;
  return old.length - start - end + (now.length - start - end);
}

function lines(text: string): string[] {
  return text === "" ? [] : text.replace(/\n$/, "").split("\n");
}

/** A patch in the form of Codex' `apply_patch`. Null: it is not one. */
export function readPatch(patch: string): { paths: string[]; linesChanged: number } | null {
  const text = patch.replace(/^\s+/, "");
  if (!text.startsWith("*** Begin Patch")) return null;
  const paths: string[] = [];
  let changed = 0;
  for (const line of text.split("\n")) {
    const path = /^\*\*\* (?:Add File|Update File|Delete File|Move to): (.+?)\s*$/.exec(line)?.[1];
    if (path !== undefined) paths.push(path);
    else if (/^[+-]/.test(line)) changed += 1;
  }
  return paths.length === 0 ? null : { paths, linesChanged: changed };
}
