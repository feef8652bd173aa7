import { globSync, realpathSync } from "node:fs";
import { basename, dirname, isAbsolute, join, matchesGlob, relative, resolve, sep } from "node:path";

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
  const paths = new Set<string>();
  const guarded = new Set<string>();
  for (const folder of folders) {
    for (const { text, glob } of places) {
      const named = resolve(folder, text.replace(/^file:\/\//, ""));
      // The folder before the first wildcard stands for what does not exist yet.
      const found = glob ? [beforeGlob(named), ...matches(text, folder)] : [named];
      for (const one of found) {
        if (harmless.has(one)) continue;
        const real = realPlace(one);
        paths.add(real);
        // Also as it is named: a link is as protected as what it points to.
        for (const place of [one, real]) if (isProtected(place, patterns)) guarded.add(place);
        if (sweeping) for (const below of protectedBelow(real, patterns)) guarded.add(below);
      }
    }
  }
  return {
    paths: [...paths].slice(0, mostPaths),
    protectedPaths: [...guarded].slice(0, mostPaths),
    touchesProtected: guarded.size > 0,
    outsideWorkspace: [...paths].some((one) => !isWithin(one, home)),
  };
}

function isProtected(path: string, patterns: readonly string[]): boolean {
  // Case is ignored: on some file systems it is ignored too, and there .GIT is .git.
  const lower = path.toLowerCase();
  return patterns.some((pattern) => {
    const wanted = pattern.toLowerCase();
    return matchesGlob(lower, wanted) || matchesGlob(lower, `${wanted}/**`);
  });
}

function protectedBelow(folder: string, patterns: readonly string[]): string[] {
  try {
    return globSync(["*", ".*", "*/.*", ".*/*"], { cwd: folder })
      .map((one) => join(folder, one))
      .filter((one) => isProtected(one, patterns))
      .slice(0, mostPaths);
  } catch {
    return [];
  }
}

function matches(pattern: string, folder: string): string[] {
  try {
    return globSync(pattern, { cwd: folder })
      .slice(0, mostPaths)
      .map((one) => resolve(folder, one));
  } catch {
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
