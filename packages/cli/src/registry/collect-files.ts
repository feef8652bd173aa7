import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { RemitError } from "@remit/contract";
import type { Issue } from "@remit/contract";

const folders = new Set([
  "agents",
  "credentials",
  "environments",
  "parties",
  "policies",
  "prompts",
  "queues",
  "runbooks",
  "teams",
  "tools",
  "upstreams",
  "workflows",
]);
const kinds = /\.(ya?ml|cedar|md|txt)$/;
const maxFiles = 2_000;
const maxBytes = 5 * 1024 * 1024;

/**
 * The files of the registry in a folder: `remit.yaml` and whatever is in folders beside it, by path relative to it.
 * A link that leads out of the folder is refused, never followed: applying must not send files that lie elsewhere.
 * @throws RemitError `invalid-configuration` | `not-found` | `too-large`
 */
export async function collectFiles(root: string): Promise<Record<string, string>> {
  const base = await realpath(root).catch((cause: unknown) => {
    throw new RemitError("not-found", `There is no folder ${root}.`, { cause });
  });
  const files: Record<string, string> = {};
  const issues: Issue[] = [];
  let bytes = 0;

  async function add(path: string): Promise<void> {
    const name = relative(base, path).split(sep).join("/");
    const real = await realpath(path);
    if (real !== path && !real.startsWith(base + sep)) {
      issues.push({ file: name, message: "leads out of the registry's folder; put the file itself here" });
      return;
    }
    const found = await stat(real);
    if (found.isDirectory()) {
      // A folder behind a link would be walked twice, or for ever.
      if (real !== path) issues.push({ file: name, message: "is a link to a folder; put the folder itself here" });
      else await addFolder(path);
      return;
    }
    if (!found.isFile() || !kinds.test(name)) return;
    bytes += found.size;
    if (bytes > maxBytes || Object.keys(files).length >= maxFiles) {
      throw new RemitError(
        "too-large",
        `The registry in ${root} has more than ${maxFiles} files or ${maxBytes / 1024 / 1024} MiB; is this the right folder?`,
      );
    }
    const text = decode(await readFile(real));
    if (text === null) issues.push({ file: name, message: "is not UTF-8 text" });
    else files[name] = text;
  }

  async function addFolder(folder: string): Promise<void> {
    for (const entry of (await readdir(folder)).sort()) {
      if (!entry.startsWith(".") && entry !== "node_modules") await add(join(folder, entry));
    }
  }

  const entries = await readdir(base);
  if (!entries.includes("remit.yaml")) throw new RemitError("not-found", `There is no remit.yaml in ${root}; name the folder that has it.`);
  await add(join(base, "remit.yaml"));
  for (const entry of entries.sort()) if (folders.has(entry)) await add(join(base, entry));
  if (issues.length > 0) throw new RemitError("invalid-configuration", "Some files cannot be taken.", { issues });
  return files;
}

function decode(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}
