import { execFile, spawn } from "node:child_process";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";

const root = join(import.meta.dirname, "..");

export type StartEvent = { type: string; ms: number } & Record<string, unknown>;

/** `npm start -- --json` as a process of its own, on a free port. */
export type Started = {
  events: StartEvent[];
  /** The first event that is already there or still comes. @throws where the process ends before. */
  event(matches: (event: StartEvent) => boolean): Promise<StartEvent>;
  /** Ctrl-C, and its exit code. */
  interrupt(): Promise<number | null>;
  exited: Promise<number | null>;
};

export type Printed = { exit: number; out: string; err: string };

/** A folder in which everything is started and every command is typed. */
export async function openWorkplace() {
  const folder = await mkdtemp(join(tmpdir(), "remit-start-"));
  // PostgreSQL may run as another user, who has to reach its data.
  await chmod(folder, 0o755);
  const running: Started[] = [];
  const dataDir = join(folder, "data");
  const env = {
    PATH: `${join(root, "node_modules/.bin")}:${process.env["PATH"] ?? ""}`,
    HOME: folder,
    REMIT_DATA_DIR: dataDir,
    NO_COLOR: "1",
    ...(process.env["REMIT_POSTGRES_BIN"] === undefined ? {} : { REMIT_POSTGRES_BIN: process.env["REMIT_POSTGRES_BIN"] }),
  };
  return {
    dataDir,
    start(...args: readonly string[]): Started {
      const started = startProcess(args, env, folder);
      running.push(started);
      return started;
    },
    /** Runs one command line and gives what it printed. */
    run(command: string, args: readonly string[], more: Record<string, string> = {}): Promise<Printed> {
      return new Promise((resolve) => {
        const options = { env: { ...env, ...more }, cwd: folder, maxBuffer: 64 * 1024 * 1024 };
        execFile(command, args, options, (error, out, err) => {
          const exit = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
          resolve({ exit, out, err });
        });
      });
    },
    async [Symbol.asyncDispose]() {
      for (const one of running) await one.interrupt();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function startProcess(args: readonly string[], env: Record<string, string>, cwd: string): Started {
  const child = spawn(process.execPath, [join(root, "scripts/start.ts"), "--json", "--port", "0", ...args], {
    env,
    cwd,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const events: StartEvent[] = [];
  let errors = "";
  createInterface({ input: child.stdout }).on("line", (line) => events.push(JSON.parse(line) as StartEvent));
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  const exited = new Promise<number | null>((resolve) => child.once("close", resolve));
  return {
    events,
    exited,
    async event(matches) {
      for (;;) {
        const found = events.find(matches);
        if (found !== undefined) return found;
        if (child.exitCode !== null || child.signalCode !== null) {
          throw new Error(
            `It ended with ${child.exitCode ?? child.signalCode ?? "nothing"} before that happened:\n${errors}\n${JSON.stringify(events.slice(-3))}`,
          );
        }
        await delay(50);
      }
    },
    async interrupt() {
      child.kill("SIGINT");
      const ended = await Promise.race([exited.then(() => true), delay(100_000, false)]);
      if (!ended) child.kill("SIGKILL");
      return exited;
    },
  };
}
