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

/** Where the server of the data folder that holds here said that it listens; null unless it is still running. */
export async function readServerNote(around: Pick<Surroundings, "env" | "cwd">): Promise<ServerNote | null> {
  const dataDir = await findDataDir(around);
  if (dataDir === null) return null;
  try {
    const note = noteSchema.parse(JSON.parse(await readFile(join(dataDir, "server.json"), "utf8")));
    // One that was killed could not take its note away, and something else may listen there now.
    return isRunning(note.pid) ? note : null;
  } catch {
    return null;
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It is there, and somebody else's.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

/** The folder that a workflow's relative `cwd` starts from: named, or the one that the server here was started with. */
export async function registryDir(around: Surroundings, named: string | undefined): Promise<string> {
  const chosen = named ?? around.env["REMIT_REGISTRY_DIR"];
  if (chosen !== undefined && chosen !== "") return resolve(around.cwd, chosen);
  return (await readServerNote(around))?.registryDir ?? around.cwd;
}
