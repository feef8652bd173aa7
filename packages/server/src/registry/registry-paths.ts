import type { AssetKind, Issue } from "@remit/contract";
import { codePointName, didYouMean, hiddenCharacters } from "@remit/core";

export const maxFiles = 2_000;
export const maxTotalBytes = 5 * 1024 * 1024;
export const maxFileBytes = 1024 * 1024;
/** Reading YAML takes long enough that a larger file would hold up everything else. */
export const maxYamlBytes = 256 * 1024;

/** The folder of each kind. `kind` in the document decides what it is; that it lies in its folder is checked, so that reviewers find it. */
export const folderKinds = {
  parties: "party",
  teams: "team",
  environments: "environment",
  upstreams: "upstream",
  credentials: "credential",
  tools: "tool",
  agents: "agent",
  policies: "policy",
  queues: "queue",
  workflows: "workflow",
} as const satisfies Record<string, AssetKind>;

export type AssetFolder = keyof typeof folderKinds;

/** What a path says about a file. `other`: no part of the registry. */
export type FileRole =
  | { role: "organisation" }
  | { role: "documents"; folder: AssetFolder }
  | { role: "policy"; policy: string }
  | { role: "policy-source"; policy: string }
  | { role: "policy-test"; policy: string }
  | { role: "text" }
  | { role: "refused"; message: string }
  | { role: "other"; warning: string | null };

/** What is wrong with a path by itself, or null. */
export function pathFault(path: string): string | null {
  if (path === "" || path.length > 200) return "has a path that is empty or longer than 200 characters";
  if (/\p{Cc}/u.test(path) || hiddenCharacters(path).length > 0 || !path.isWellFormed())
    return "has a path with characters that cannot be seen";
  if (path.includes("\\")) return "has a backslash in its path; separate folders with /";
  if (path.startsWith("/") || /^[A-Za-z]:/.test(path)) return "has an absolute path; give paths from the root of the registry";
  if (path.split("/").some((part) => part === "" || part === "." || part === ".."))
    return "has a path with an empty part, . or ..; give paths from the root of the registry";
  return null;
}

/** What is wrong with the files before any of them is read. */
export function checkFiles(files: ReadonlyMap<string, string>): Issue[] {
  if (files.size > maxFiles)
    return [{ message: `there are ${files.size} files, and at most ${maxFiles} are taken; send only those of the registry` }];
  const issues: Issue[] = [];
  let total = 0;
  for (const [path, text] of files) {
    const fault = pathFault(path);
    if (fault !== null) {
      issues.push({ message: `a file ${fault}`, file: JSON.stringify(path).slice(1, -1) });
      continue;
    }
    const bytes = Buffer.byteLength(text);
    total += bytes;
    const most = /\.ya?ml$/.test(path) ? maxYamlBytes : maxFileBytes;
    if (bytes > most) issues.push({ message: `the file has ${bytes} bytes, and at most ${most} are taken`, file: path });
    else issues.push(...checkText(path, text));
  }
  if (total > maxTotalBytes) return [{ message: `the files have ${total} bytes together, and at most ${maxTotalBytes} are taken` }];
  return issues;
}

function checkText(file: string, text: string): Issue[] {
  const broken = text.search(/\uFFFD|\p{Surrogate}/u);
  if (broken !== -1) return [{ message: "the file is not valid UTF-8; save it as UTF-8", file, line: lineAt(text, broken) }];
  const [first, ...others] = hiddenCharacters(text);
  if (first === undefined) return [];
  const more = others.length === 0 ? "" : ` (and ${others.length} more)`;
  const message = `${codePointName(first.codePoint)} cannot be seen, so people and models would read different texts${more}; remove it`;
  return [{ message, file, line: lineAt(text, first.index) }];
}

function lineAt(text: string, index: number): number {
  return text.slice(0, index).split("\n").length;
}

/** What a file is, by its path. */
export function fileRole(path: string): FileRole {
  if (path === "remit.yaml") return { role: "organisation" };
  const [folder = "", ...rest] = path.split("/");
  const name = rest.at(-1) ?? "";
  if (/\.(md|txt)$/.test(path)) return { role: "text" };
  if (rest.length === 0)
    return {
      role: "other",
      warning: /\.ya?ml$/.test(path) ? `${path} is no part of the registry: only remit.yaml is read at its root` : null,
    };
  if (!isAssetFolder(folder)) {
    const suggestion = didYouMean(folder, Object.keys(folderKinds));
    const matters = suggestion !== "" && /\.(ya?ml|cedar)$/.test(path);
    return {
      role: "other",
      warning: matters ? `${path} is no part of the registry: ${folder}/ is none of its folders${suggestion}` : null,
    };
  }
  if (folder === "policies") return policyFileRole(rest, name);
  if (/\.ya?ml$/.test(name)) return { role: "documents", folder };
  return { role: "other", warning: `${path} is not read: ${folder}/ holds .yaml documents and .md or .txt texts` };
}

function policyFileRole(rest: readonly string[], name: string): FileRole {
  const [policy] = rest;
  if (policy === undefined || rest.length < 2)
    return { role: "refused", message: "a policy set is a folder: move this file to policies/<name>/" };
  if (name.endsWith(".cedar")) return { role: "policy-source", policy };
  if (/\.test\.ya?ml$/.test(name)) return { role: "policy-test", policy };
  if (rest.length === 2 && name === "policy.yaml") return { role: "policy", policy };
  return {
    role: "refused",
    message: "a policy set holds policy.yaml, .cedar files and .test.yaml files; rename this file or move it elsewhere",
  };
}

function isAssetFolder(folder: string): folder is AssetFolder {
  return Object.hasOwn(folderKinds, folder);
}
