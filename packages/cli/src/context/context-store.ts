import { chmod, mkdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { RemitError } from "@remit/contract";
import { z } from "zod";
import type { Surroundings } from "../terminal/terminal.ts";

/** One person's session with one server. */
const contextSchema = z.object({ url: z.url(), token: z.string().min(1), party: z.string().min(1), expiresAt: z.string() });
export type Context = z.infer<typeof contextSchema>;

const fileSchema = z.object({ contexts: z.record(z.string(), contextSchema) });

export const defaultContext = "default";

/** The data folder that holds here: `REMIT_DATA_DIR`, else the nearest `.remit` from the working folder upwards. */
export async function findDataDir(around: Pick<Surroundings, "env" | "cwd">): Promise<string | null> {
  const named = around.env["REMIT_DATA_DIR"];
  if (named !== undefined && named !== "") return named;
  for (let folder = around.cwd; ; folder = dirname(folder)) {
    const candidate = join(folder, ".remit");
    if (await isFolder(candidate)) return candidate;
    if (dirname(folder) === folder) return null;
  }
}

/**
 * Where sessions are kept: `REMIT_CONFIG_DIR`; else with the data folder that holds here, so that two checkouts do not
 * overwrite each other's; else `~/.config/remit`.
 */
export async function configDir(around: Pick<Surroundings, "env" | "cwd">): Promise<string> {
  const named = around.env["REMIT_CONFIG_DIR"];
  if (named !== undefined && named !== "") return named;
  const dataDir = await findDataDir(around);
  if (dataDir !== null) return join(dataDir, "config");
  const base = around.env["XDG_CONFIG_HOME"] ?? join(around.env["HOME"] ?? homedir(), ".config");
  return join(base, "remit");
}

export async function readContexts(around: Pick<Surroundings, "env" | "cwd">): Promise<Record<string, Context>> {
  const file = join(await configDir(around), "contexts.json");
  let text: string;
  try {
    // Also keeps a file that came with a checkout from being taken for one of ours: git keeps no such mode.
    if (((await stat(file)).mode & 0o077) !== 0) {
      throw new RemitError(
        "invalid-configuration",
        `${file} holds sessions and can be read by others: chmod 600 it, or remove it and log in again.`,
      );
    }
    text = await readFile(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return {};
    throw error;
  }
  const parsed = fileSchema.safeParse(parseJson(text));
  if (!parsed.success) throw new RemitError("invalid-configuration", `${file} cannot be read: remove it and log in again.`);
  return parsed.data.contexts;
}

/** Changes the stored contexts; the file is replaced whole, and only its owner can read it. */
export async function changeContexts(
  around: Pick<Surroundings, "env" | "cwd">,
  change: (contexts: Record<string, Context>) => Record<string, Context>,
): Promise<void> {
  const folder = await configDir(around);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const contexts = change(await readContexts(around));
  const file = join(folder, "contexts.json");
  const fresh = `${file}.${process.pid}`;
  await writeFile(fresh, `${JSON.stringify({ contexts }, undefined, 2)}\n`, { mode: 0o600 });
  await chmod(fresh, 0o600);
  await rename(fresh, file);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}
