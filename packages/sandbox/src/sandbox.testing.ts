import { spawn } from "node:child_process";
import { tmpdir } from "node:os";
import type { SandboxSpec } from "@remit/contract";
import { sandboxSpecSchema } from "@remit/contract";
import type { Contained, ContainRequest } from "./contain.ts";
import { contain } from "./contain.ts";
import { bubblewrapMachine, namespaceMachine, tryOut } from "./machine.ts";
import type { Machine } from "./machine.ts";
import { findProgram } from "./program-folders.ts";

/** Every way in which this machine can contain programs; says which it cannot be tested with. */
export async function machinesHere(): Promise<Machine[]> {
  const bwrap = await findProgram("bwrap", process.env["PATH"] ?? "");
  const candidates = [...(bwrap === null ? [] : [bubblewrapMachine(bwrap)]), namespaceMachine()];
  if (bwrap === null) console.warn("bubblewrap is not installed: its tests are left out");
  const machines: Machine[] = [];
  for (const machine of candidates) {
    const problem = await tryOut(machine);
    if (problem === null) machines.push(machine);
    else console.warn(`${machine.by ?? "nothing"} does not work here, its tests are left out: ${problem}`);
  }
  return machines;
}

export type Finished = { code: number | null; signal: NodeJS.Signals | null; out: string; err: string; contained: Contained };

export type Started = { contained: Contained; pid: number; finished: Promise<Finished>; line(): Promise<string> };

export async function startContained(
  machine: Machine,
  request: Partial<Omit<ContainRequest, "sandbox">> & Pick<ContainRequest, "command" | "args"> & { sandbox?: Partial<SandboxSpec> },
): Promise<Started> {
  const contained = await contain(
    {
      cwd: tmpdir(),
      env: { PATH: process.env["PATH"] ?? "" },
      baseDir: tmpdir(),
      variables: {},
      hidden: [],
      ...request,
      sandbox: sandboxSpecSchema.parse(request.sandbox ?? {}),
    },
    machine,
  );
  const child = spawn(contained.file, contained.args, {
    cwd: contained.cwd,
    env: contained.env,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  let [out, err] = ["", ""];
  const first = new Promise<string>((resolve) => {
    child.stdout.on("data", (chunk: Buffer) => {
      out += chunk.toString();
      if (out.includes("\n")) resolve(out.split("\n")[0] ?? "");
    });
  });
  child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
  const finished = new Promise<Finished>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      void contained.dispose().then(() => resolve({ ...contained.endOf(code, signal), out, err, contained }));
    });
  });
  const pid = child.pid ?? 0;
  contained.started(pid);
  return { contained, pid, finished, line: () => first };
}

export async function runContained(...start: Parameters<typeof startContained>): Promise<Finished> {
  return await (
    await startContained(...start)
  ).finished;
}
