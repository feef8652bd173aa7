import { lstatSync, readdirSync, realpathSync } from "node:fs";
import { basename, dirname, isAbsolute, join, matchesGlob, relative, resolve, sep } from "node:path";
import { pathPattern } from "./path-pattern.ts";

/** What is known of the files that a call reaches. */
export type Reach = { paths: string[]; protectedPaths: string[]; touchesProtected: boolean; outsideWorkspace: boolean };

/** Keys, settings of tools that run things, and what guards the agent itself. `--protect` adds to them; nothing takes away. */
export const alwaysProtected: readonly string[] = [
  "**/.git",
  "**/.env",
  "**/.env.*",
  "**/.envrc",
  "**/.ssh",
  "**/.aws",
  "**/.azure",
  "**/.gnupg",
  "**/.kube",
  "**/.docker",
  "**/.config/gcloud",
  "**/.config/gh",
  "**/.npmrc",
  "**/.yarnrc*",
  "**/.netrc",
  "**/.pypirc",
  "**/.pgpass",
  "**/.gitconfig",
  "**/.git-credentials",
  "**/id_{rsa,dsa,ecdsa,ed25519}*",
  "**/*.{pem,key,p12,pfx,kdbx}",
  "**/.{bashrc,bash_profile,bash_login,bash_logout,profile,zshrc,zshenv,zprofile,zlogin}",
  "**/.github/workflows",
  "**/.gitlab-ci.yml",
  "**/.husky",
  "**/.claude/settings*.json",
  "**/.claude/hooks",
  "**/.claude.json",
  "**/.mcp.json",
  "**/.cursor/{hooks,mcp}.json",
  "**/.cursor/hooks",
  "**/.codex",
  "**/.vscode/{tasks,settings,launch,mcp}.json",
  "**/.remit",
  "**/.config/remit",
  "/etc",
  "/proc",
  "/sys",
  "/boot",
  "/dev",
  "/root/.*",
];

const mostPaths = 200;
const harmless: ReadonlySet<string> = new Set([
  "/dev/null",
  "/dev/stdin",
  "/dev/stdout",
  "/dev/stderr",
  "/dev/tty",
  "/dev/zero",
  "/dev/urandom",
]);

export type Surrounds = { workspace: string; protect: readonly string[] };

/** How much is looked at. Whoever waits for too long for a hook goes on without it. */
const mostPlaces = 5_000;
const mostEntries = 20_000;
type Budget = { places: number; entries: number };

/**
 * Where places really are, links followed, and which of them are protected. A place that does not exist yet is where its nearest
 * existing folder really is. `sweeping`: what happens to a folder happens to everything in it.
 */
export function reachOf(
  places: readonly { text: string; glob: boolean }[],
  folders: readonly string[],
  sweeping: boolean,
  { workspace, protect }: Surrounds,
): Reach {
  const home = realPlace(workspace);
  const patterns = [...alwaysProtected, ...protect.map((one) => (isAbsolute(one) || one.startsWith("**") ? one : join(home, one)))];
  const isProtected = pathPattern(patterns);
  const budget = { places: mostPlaces, entries: mostEntries };
  const paths = new Set<string>();
  const guarded = new Set<string>();
  for (const folder of folders) {
    for (const { text, glob } of places) {
      const named = resolve(folder, text.replace(/^file:\/\//, ""));
      // The folder before the first wildcard stands for what does not exist yet.
      const found = glob ? [beforeGlob(named), ...matches(named, budget)] : [named];
      for (const one of found) {
        budget.places -= 1;
        if (harmless.has(one) || isSpent(budget)) continue;
        const real = realPlace(one);
        paths.add(real);
        // Also as it is named: a link is as protected as what it points to.
        for (const place of [one, real]) if (isProtected(place)) guarded.add(place);
        if (sweeping) for (const below of hiddenBelow(real, budget)) if (isProtected(below)) guarded.add(below);
      }
    }
  }
  return {
    paths: [...paths].slice(0, mostPaths),
    protectedPaths: [...guarded].slice(0, mostPaths),
    // What was not looked at may be anything.
    touchesProtected: guarded.size > 0 || isSpent(budget),
    outsideWorkspace: [...paths].some((one) => !isWithin(one, home)),
  };
}

function isSpent({ places, entries }: Budget): boolean {
  return places < 0 || entries < 0;
}

/** What is in a folder, and what is hidden in its folders. */
function hiddenBelow(folder: string, budget: Budget): string[] {
  return entriesOf(folder, budget).flatMap((name) => {
    const path = join(folder, name);
    const below = entriesOf(path, budget).filter((one) => name.startsWith(".") || one.startsWith("."));
    return [path, ...below.map((one) => join(path, one))];
  });
}

/** The paths that a pattern stands for, as Bash sees it: `**` is one folder, and hidden names are named. */
function matches(pattern: string, budget: Budget): string[] {
  let found: string[] = [sep];
  for (const part of pattern.split(sep).filter((one) => one !== "")) {
    if (!/[*?[(]/.test(part)) found = found.map((folder) => join(folder, part));
    else {
      const wanted = part.replace(/\*{2,}/g, "*");
      found = found.flatMap((folder) =>
        entriesOf(folder, budget)
          .filter((name) => matchesGlob(name, wanted))
          .map((name) => join(folder, name)),
      );
    }
    if (isSpent(budget)) return [];
  }
  return found.filter(exists);
}

function exists(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch (error) {
    // What may not be looked at may well be there.
    return !(error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR"));
  }
}

function entriesOf(folder: string, budget: Budget): string[] {
  if (isSpent(budget)) return [];
  try {
    const names = readdirSync(folder);
    budget.entries -= names.length + 1;
    return names;
  } catch {
    budget.entries -= 1;
    return [];
  }
}

function beforeGlob(path: string): string {
  const parts = path.split(sep);
  const first = parts.findIndex((part) => /[*?[(]/.test(part));
  return first === -1 ? path : parts.slice(0, first).join(sep) || sep;
}

function realPlace(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(realPlace(parent), basename(path));
  }
}

function isWithin(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way === "" || (!way.startsWith("..") && !isAbsolute(way));
}
