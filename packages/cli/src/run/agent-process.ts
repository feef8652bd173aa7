import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import type { Contained } from "@remit/sandbox";
import { forwardOutput } from "./forward-output.ts";
import { signalTree } from "./process-tree.ts";

/** How an agent's program ended; `problem` where it could not even be started. */
export type AgentExit = { code: number | null; signal: NodeJS.Signals | null; problem: string | null };

export type AgentProcess = {
  /** Settles once the program and everything that it started have ended. Never rejects. */
  exited: Promise<AgentExit>;
  /** Asks it to end (SIGTERM), and after the grace ends it (SIGKILL). */
  stop(): Promise<AgentExit>;
  /** Ends it now. */
  kill(): Promise<AgentExit>;
};

export type AgentProgram = {
  /** How it is to be started. */
  contained: Contained;
  runId: string;
  graceMs: number;
  onOutput: (stream: "stdout" | "stderr", line: string) => void;
};

/** A program that could not even be prepared. */
export function unstartedAgent(file: string, cwd: string, error: unknown): AgentProcess {
  const exited = Promise.resolve(unstarted(file, cwd, error));
  return { exited, stop: () => exited, kill: () => exited };
}

function unstarted(file: string, cwd: string, error: unknown): AgentExit {
  const why = error instanceof Error ? error.message : String(error);
  return { code: null, signal: null, problem: `${file} cannot be started in ${cwd}: ${why}` };
}

/** Starts an agent's program as the leader of a process group of its own, so that all of it can be stopped. */
export function startAgentProcess(program: AgentProgram): AgentProcess {
  const { contained } = program;
  const mark = `REMIT_RUN_ID=${program.runId}`;
  const child = spawn(contained.file, contained.args, {
    cwd: contained.cwd,
    env: contained.env,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  forwardOutput(child.stdout, (line) => program.onOutput("stdout", line));
  forwardOutput(child.stderr, (line) => program.onOutput("stderr", line));
  const { pid } = child;
  if (pid !== undefined) contained.started(pid);

  async function end(): Promise<AgentExit> {
    const exit = await new Promise<AgentExit>((resolve) => {
      child.once("error", (error) => {
        // After a successful start an error is about a signal, and the exit still comes.
        if (pid === undefined) resolve(unstarted(contained.file, contained.cwd, error));
      });
      child.once("exit", (code, signal) => resolve({ ...contained.endOf(code, signal), problem: null }));
    });
    if (pid === undefined) {
      await contained.dispose();
      return exit;
    }
    // What it leaves behind must not act in its name.
    await signalTree(pid, mark, "SIGKILL");
    // What it printed last is still in the pipes.
    await Promise.race([once(child, "close"), delay(500, undefined, { ref: false })]);
    child.stdout.destroy();
    child.stderr.destroy();
    await contained.dispose().catch(() => undefined);
    return exit;
  }

  const exited = end();
  return {
    exited,
    async stop() {
      if (pid === undefined) return exited;
      // One whose processes the kernel ends together is asked by itself: what starts it would just die of the signal.
      if (contained.containment.endsBy === "kernel") contained.ask(pid, "SIGTERM");
      else await signalTree(pid, mark, "SIGTERM");
      await Promise.race([exited, delay(program.graceMs)]);
      await signalTree(pid, mark, "SIGKILL");
      return exited;
    },
    async kill() {
      if (pid !== undefined) await signalTree(pid, mark, "SIGKILL");
      return exited;
    },
  };
}
