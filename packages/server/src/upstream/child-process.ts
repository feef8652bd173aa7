import { spawn } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";

/** A child that leads its own process group, so that it ends together with whatever it started. */
export type Child = {
  pid: number;
  /** False when it no longer reads: nothing was sent. */
  write(line: string): boolean;
  onStdout(listener: (chunk: Buffer) => void): void;
  onStderr(listener: (chunk: Buffer) => void): void;
  /** Told once, when it has exited and its output has been read to the end. */
  onEnded(listener: (how: string) => void): void;
  /** Asks by closing stdin, then by SIGTERM, then ends it by SIGKILL. */
  stop(): Promise<void>;
};

export type ChildOptions = { command: string; args: readonly string[]; cwd: string; env: Record<string, string>; graceMs: number };

/** Children of this process that live. A process that exits in the ordinary way takes them along. */
const living = new Set<Child>();
process.once("exit", () => {
  for (const child of living) killGroup(child.pid, "SIGKILL");
});

/** Starts a child. Rejects when there is no such program or folder. */
export async function startChild(options: ChildOptions): Promise<Child> {
  const child = spawn(options.command, options.args, {
    cwd: options.cwd,
    env: options.env,
    stdio: ["pipe", "pipe", "pipe"],
    // A group of its own: signals reach what a wrapper such as `npx` or `sh -c` has started, and Ctrl-C does not.
    detached: true,
    windowsHide: true,
  });
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", reject);
  });
  return supervise(child, options.graceMs);
}

function supervise(child: ChildProcessWithoutNullStreams, graceMs: number): Child {
  const pid = child.pid;
  if (pid === undefined) throw new Error("a started child has no process id");
  const endedListeners: ((how: string) => void)[] = [];
  let how: string | null = null;

  // A write to a child that has gone fails here; its end is told by `close`.
  child.stdin.on("error", () => undefined);
  child.on("error", () => undefined);
  child.once("exit", () => {
    // The leader is gone; whatever of its group is left would hold its pipes open and is nobody's.
    killGroup(pid, "SIGKILL");
  });

  const self: Child = {
    pid,
    write(line) {
      if (!child.stdin.writable) return false;
      child.stdin.write(line);
      return true;
    },
    onStdout: (listener) => void child.stdout.on("data", listener),
    onStderr: (listener) => void child.stderr.on("data", listener),
    onEnded(listener) {
      if (how === null) endedListeners.push(listener);
      else listener(how);
    },
    async stop() {
      if (how !== null) return;
      const ended = new Promise<void>((resolve) => self.onEnded(() => resolve()));
      child.stdin.end();
      if (await within(ended, graceMs)) return;
      killGroup(pid, "SIGTERM");
      if (await within(ended, graceMs)) return;
      killGroup(pid, "SIGKILL");
      await ended;
    },
  };
  living.add(self);
  child.once("close", (code, signal) => {
    living.delete(self);
    how = signal === null ? `it exited with code ${code}` : `it was ended by ${signal}`;
    for (const listener of endedListeners) listener(how);
  });
  return self;
}

function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // Nothing of the group is left.
  }
}

async function within(ended: Promise<void>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  const result = await Promise.race([ended.then(() => true), late]);
  clearTimeout(timer);
  return result;
}
