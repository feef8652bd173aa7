import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import type { View } from "./view.ts";

/** Is the program Node itself, given a script? */
export function isNode(command: string): boolean {
  return /^node(?:\.exe)?$/.test(basename(command));
}

/**
 * Node's own permission model: files as declared, no children, no native code. It does not hold the network (as of Node 24), and it
 * is a seat belt rather than a wall, as its own documentation says.
 */
export async function nodePermissionArguments(view: View): Promise<string[]> {
  const hidden = view.hidden.map(({ target }) => target);
  const read: string[] = [];
  const write: string[] = [];
  for (const { target, access } of view.shown) {
    for (const path of await without(target, hidden)) {
      read.push(path);
      if (access === "write") write.push(path);
    }
  }
  return ["--permission", ...read.map((path) => `--allow-fs-read=${path}`), ...write.map((path) => `--allow-fs-write=${path}`)];
}

/** It can only allow: a folder with something hidden in it becomes everything else in it. */
async function without(path: string, hidden: readonly string[]): Promise<string[]> {
  if (hidden.includes(path)) return [];
  if (!hidden.some((one) => one.startsWith(`${path}/`))) return [path];
  const parts = await readdir(path);
  return (await Promise.all(parts.map((part) => without(join(path, part), hidden)))).flat();
}
