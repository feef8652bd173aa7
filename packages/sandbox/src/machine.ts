import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { makeBoxFolder } from "./box-folder.ts";
import { bubblewrapCommand } from "./bubblewrap.ts";
import { heldLimits } from "./limits.ts";
import { namespaceCommand } from "./namespaces.ts";
import { findProgram } from "./program-folders.ts";
import { systemView } from "./system-view.ts";
import type { ContainedProgram } from "./view.ts";

/** What this machine can contain programs with. */
export type Machine = {
  /** Null: nothing that holds files and network. */
  by: "bubblewrap" | "namespaces" | null;
  /** The program and arguments that start one contained. */
  launch: ((program: ContainedProgram) => string[]) | null;
  /** In words, for people: what was found, or why nothing holds. */
  why: string;
};

let found: Promise<Machine> | null = null;

/** What this machine can contain programs with; found out once, by containing a program that does nothing. */
export function examineMachine(): Promise<Machine> {
  found ??= examine();
  return found;
}

async function examine(): Promise<Machine> {
  if (process.platform !== "linux") return uncontained(`${process.platform} has no namespaces`);
  const problems: string[] = [];
  const bwrap = await findProgram("bwrap", process.env["PATH"] ?? "");
  if (bwrap !== null) {
    const machine = bubblewrapMachine(bwrap);
    const problem = await tryOut(machine);
    if (problem === null) return machine;
    problems.push(`bubblewrap: ${problem}`);
  } else problems.push("bubblewrap is not installed");
  const machine = namespaceMachine();
  const problem = await tryOut(machine);
  if (problem === null) return machine;
  problems.push(`namespaces: ${problem}`);
  return uncontained(problems.join("; "));
}

export function bubblewrapMachine(bwrap: string): Machine {
  return { by: "bubblewrap", launch: (program) => bubblewrapCommand(bwrap, program), why: `bubblewrap, at ${bwrap}` };
}

export function namespaceMachine(): Machine {
  return { by: "namespaces", launch: namespaceCommand, why: "namespaces of its own, by util-linux" };
}

export function uncontained(why: string): Machine {
  return { by: null, launch: null, why };
}

/** Contains a program that does nothing. Null: it holds. */
export async function tryOut(machine: Machine): Promise<string | null> {
  const stage = await makeBoxFolder();
  try {
    const [file = "", ...args] =
      machine.launch?.({
        view: { ...(await systemView()), hidden: [], cwd: "/" },
        stage,
        network: "none",
        addresses: [],
        bridge: null,
        variables: {},
        limits: heldLimits(undefined),
        command: ["true"],
      }) ?? [];
    return await new Promise((resolve) => {
      execFile(file, args, { timeout: 10_000, env: { PATH: process.env["PATH"] ?? "" } }, (error, _out, err) => {
        const said = err.trim().split("\n")[0] ?? "";
        resolve(error === null ? null : said === "" ? error.message.slice(0, 200) : said);
      });
    });
  } finally {
    await rm(stage, { recursive: true, force: true });
  }
}
