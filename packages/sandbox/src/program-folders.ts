import { constants } from "node:fs";
import { access, open, readdir, realpath, stat } from "node:fs/promises";
import { basename, delimiter, dirname, isAbsolute, join, resolve } from "node:path";

/** A folder with one of these is somebody's project: what lies in it belongs together. */
const marks = ["package.json", "pyproject.toml", "go.mod", "Cargo.toml", ".git"];

/** Where a program of that name is found, as a shell would find it. */
export async function findProgram(name: string, path: string, cwd = "/"): Promise<string | null> {
  const candidates = name.includes("/")
    ? [resolve(cwd, name)]
    : path.split(delimiter).flatMap((folder) => (folder === "" ? [] : [resolve(cwd, folder, name)]));
  for (const candidate of candidates) {
    const runs = await access(candidate, constants.X_OK).then(
      async () => (await stat(candidate)).isFile(),
      () => false,
    );
    if (runs) return candidate;
  }
  return null;
}

/** Folders without which a program does not start: its own, its interpreter's, and the project it lies in. */
export async function programFolders(program: string, path: string, home: string, depth = 0): Promise<string[]> {
  const real = await realpath(program);
  const folders = new Set<string>();
  for (const file of new Set([program, real])) {
    for (const folder of installFolders(file, home)) folders.add(folder);
    for (const folder of await projectFolders(file, home)) folders.add(folder);
  }
  const interpreter = depth < 2 ? await interpreterOf(real) : null;
  const found = interpreter === null ? null : await findProgram(interpreter, path);
  if (found !== null) for (const folder of await programFolders(found, path, home, depth + 1)) folders.add(folder);
  return [...folders];
}

/** `<prefix>/bin/<program>` is installed in the prefix, unless that is a folder of everything, such as ~/.local. */
function installFolders(file: string, home: string): string[] {
  const folder = dirname(file);
  if (basename(folder) !== "bin") return [file];
  const prefix = dirname(folder);
  const broad = prefix === "/" || home === prefix || home.startsWith(`${prefix}/`) || dirname(prefix) === home;
  return broad ? [folder, join(prefix, "lib")] : [prefix];
}

/**
 * The project that a file or folder lies in, and what programs in it load from further up: modules that are installed there, and
 * other workspaces that they are links to.
 */
export async function projectFolders(path: string, home: string): Promise<string[]> {
  const folders: string[] = [];
  const isFolder = await stat(path).then(
    (status) => status.isDirectory(),
    () => false,
  );
  let nearest: string | null = null;
  for (let folder = isFolder ? path : dirname(path); !isBroad(folder, home); folder = dirname(folder)) {
    const names: string[] = await readdir(folder).catch(() => []);
    if (nearest === null && basename(folder) !== "node_modules" && marks.some((mark) => names.includes(mark))) {
      nearest = folder;
      folders.push(folder);
    }
    if (names.includes("node_modules")) {
      folders.push(join(folder, "node_modules"), ...(await linkedWorkspaces(join(folder, "node_modules"))));
      if (names.includes("package.json")) folders.push(join(folder, "package.json"));
    }
  }
  return folders;
}

/** Folders that hold much besides one project: none of them is ever shown whole. */
export function isBroad(folder: string, home: string): boolean {
  return (
    folder === "/" || folder === home || home.startsWith(`${folder}/`) || ["/tmp", "/var/tmp", "/home", "/root", "/mnt"].includes(folder)
  );
}

async function linkedWorkspaces(modules: string): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(modules, { withFileTypes: true }).catch(() => [])) {
    const path = join(modules, entry.name);
    if (entry.isDirectory() && entry.name.startsWith("@")) found.push(...(await linkedWorkspaces(path)));
    if (!entry.isSymbolicLink()) continue;
    const target = await realpath(path).catch(() => null);
    if (target !== null && target !== "/" && (await stat(target)).isDirectory()) found.push(target);
  }
  return found;
}

/** What `#!` names, past `/usr/bin/env`. */
async function interpreterOf(file: string): Promise<string | null> {
  const handle = await open(file).catch(() => null);
  if (handle === null) return null;
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(256), 0, 256, 0);
    const line = /^#!\s*(.+)/.exec(buffer.toString("latin1", 0, bytesRead))?.[1];
    if (line === undefined) return null;
    const words = line.trim().split(/\s+/);
    const isEnv = basename(words[0] ?? "") === "env";
    return (isEnv ? words.slice(1).find((word) => !word.startsWith("-") && !word.includes("=")) : words[0]) ?? null;
  } finally {
    await handle.close();
  }
}

/** True for a path, as a command line names one. */
export function looksLikePath(argument: string): boolean {
  return isAbsolute(argument) || argument.startsWith("./") || argument.startsWith("../") || argument.includes("/");
}
