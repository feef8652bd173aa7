import type { Surroundings } from "../terminal/terminal.ts";
import { chosenDataDir } from "../up/data-dir.ts";

/** Which database is meant: the one that the environment names, else the one in the data folder. */
export function databaseOf(
  around: Pick<Surroundings, "env" | "cwd">,
  dataDir: string | undefined,
): { dataFolder: string; url?: string; ownerUrl?: string } {
  const url = around.env["DATABASE_URL"];
  const ownerUrl = around.env["DATABASE_OWNER_URL"];
  const isGiven = dataDir === undefined && url !== undefined && url !== "";
  return {
    dataFolder: chosenDataDir(around, dataDir),
    ...(isGiven ? { url } : {}),
    ...(isGiven && ownerUrl !== undefined && ownerUrl !== "" ? { ownerUrl } : {}),
  };
}
