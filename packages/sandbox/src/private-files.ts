import { readdir, realpath } from "node:fs/promises";
import { basename, join } from "node:path";

/** What a project keeps to itself: the secrets of whoever works in it, and its whole past. */
const isPrivate = (name: string): boolean => name === ".git" || name === ".env" || (name.startsWith(".env.") && !isExample(name));

/** Files that are there to be read: they say which variables there are. */
const isExample = (name: string): boolean => /^\.env\.(?:example|sample|template|dist|defaults)$/.test(name);

/** Deeper, and in more folders than this, nobody keeps them; a project is not to take seconds to start in. */
const maxDepth = 5;
const maxFolders = 5_000;

/** The private files and folders in these projects, except those that are declared by name. */
export async function privateIn(projects: readonly string[], declared: ReadonlySet<string>): Promise<string[]> {
  const found = new Set<string>();
  const seen = new Set<string>();
  let folders = [...new Set(projects)];
  for (let depth = 0; depth <= maxDepth && folders.length > 0; depth += 1) {
    const next: string[] = [];
    for (const folder of folders) {
      if (seen.has(folder) || seen.size >= maxFolders || basename(folder) === "node_modules") continue;
      seen.add(folder);
      for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
        const path = join(folder, entry.name);
        if (isPrivate(entry.name)) {
          const real = await realpath(path).catch(() => path);
          if (!declared.has(path) && !declared.has(real)) found.add(path);
        } else if (entry.isDirectory() && entry.name !== "node_modules") next.push(path);
      }
    }
    folders = next;
  }
  return [...found];
}
