import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { z } from "zod";
import type { Surroundings } from "../terminal/terminal.ts";
import { findDataDir } from "./context-store.ts";

/** What the server of a data folder leaves there, so that commands find it: `server.json`. */
const noteSchema = z.object({ url: z.url(), registryDir: z.string().nullable(), pid: z.int() });
export type ServerNote = z.infer<typeof noteSchema>;

export async function writeServerNote(dataDir: string, note: ServerNote): Promise<void> {
  const file = join(dataDir, "server.json");
  await writeFile(`${file}.new`, `${JSON.stringify(note)}\n`, { mode: 0o600 });
  await rename(`${file}.new`, file);
}

export async function removeServerNote(dataDir: string): Promise<void> {
  await rm(join(dataDir, "server.json"), { force: true });
}

/** Where the server of the data folder that holds here said that it listens. */
export async function readServerNote(around: Pick<Surroundings, "env" | "cwd">): Promise<ServerNote | null> {
  const dataDir = await findDataDir(around);
  if (dataDir === null) return null;
  try {
    return noteSchema.parse(JSON.parse(await readFile(join(dataDir, "server.json"), "utf8")));
  } catch {
    return null;
  }
}

/** The folder that a workflow's relative `cwd` starts from: named, or the one that the server here was started with. */
export async function registryDir(around: Surroundings, named: string | undefined): Promise<string> {
  const chosen = named ?? around.env["REMIT_REGISTRY_DIR"];
  if (chosen !== undefined && chosen !== "") return resolve(around.cwd, chosen);
  return (await readServerNote(around))?.registryDir ?? around.cwd;
}
