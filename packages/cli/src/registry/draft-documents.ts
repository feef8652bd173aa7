import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { AssetSpec } from "@remit/contract";
import { parseAllDocuments, stringify } from "yaml";

/** A document that a program proposes, and what a person should know while he looks at it. */
export type Draft = { comment?: string; spec: Record<string, unknown> & { kind: AssetSpec["kind"]; name: string } };

/** Documents as the text of a YAML file. */
export function draftText(drafts: readonly Draft[]): string {
  return drafts.map(({ comment, spec }) => `${commentText(comment)}${stringify(spec, { lineWidth: 0 })}`).join("---\n");
}

/**
 * Writes documents into a file of the registry. What stands there is never touched: a file is made, or what it lacks is put behind it.
 * @returns how many were added
 */
export async function addDrafts(root: string, file: string, drafts: readonly Draft[]): Promise<number> {
  const path = join(root, file);
  const before = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
  const known = new Set(before === null ? [] : documentKeys(before));
  const fresh = drafts.filter(({ spec }) => !known.has(keyOf(spec)));
  if (fresh.length === 0) return 0;
  await mkdir(dirname(path), { recursive: true });
  const text = before === null || before.trim() === "" ? draftText(fresh) : `${before.replace(/\n*$/, "\n")}---\n${draftText(fresh)}`;
  await writeFile(path, text);
  return fresh.length;
}

function documentKeys(text: string): string[] {
  return parseAllDocuments(text).flatMap((document) => {
    const value: unknown = document.toJS();
    return typeof value === "object" && value !== null ? [keyOf(value as Record<string, unknown>)] : [];
  });
}

function keyOf(spec: Record<string, unknown>): string {
  return JSON.stringify([spec["kind"], spec["upstream"] ?? null, spec["name"]]);
}

/** Comments are read by people: what comes from elsewhere may not end them, nor hide in them. */
function commentText(comment: string | undefined): string {
  if (comment === undefined) return "";
  const plain = comment.replaceAll(/[\p{C}\p{Zl}\p{Zp}\s]+/gu, " ").trim();
  return plain === "" ? "" : `# ${plain.length > 160 ? `${plain.slice(0, 159)}…` : plain}\n`;
}
