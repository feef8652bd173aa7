import { resolve } from "node:path";
import type { Surroundings } from "../terminal/terminal.ts";

/** Where a server that is started here keeps its data. */
export function chosenDataDir(around: Pick<Surroundings, "env" | "cwd">, named: string | undefined): string {
  const fromEnv = around.env["REMIT_DATA_DIR"];
  return resolve(around.cwd, named ?? (fromEnv === undefined || fromEnv === "" ? ".remit" : fromEnv));
}
