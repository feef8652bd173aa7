import { spawn } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import type { Contained } from "@remit/sandbox";

/** A child that leads its own process group, so that it ends together with whatever it started. */
export type Child = {
  pid: number;
  /** False when it no longer reads: nothing was sent. */
  write(line: string): boolean;
  onStdout(listener: (chunk: Buffer) => void): void;
  onStderr(listener: (chunk: Buffer) => void): void;
  /** Told once, when it has exited and its output has been read to the end. */
  onEnded(listener: (how: string) => void): void;
  /** Asks by closing stdin, then by SIGTERM, then ends it by SIGKILL. Its scratch folder goes with it. */
  stop(): Promise<void>;
};

/** Children of this process that live. A process that exits in the ordinary way takes them along. */
const living = new Set<Child>();
process.once("exit", () => {
  for (const child of living) killGroup(child.pid, "SIGKILL");
});

/** Starts a child as it was prepared. Rejects when there is no such program or folder. */
export async function startChild(contained: Contained, graceMs: number): Promise<Child> {
  const child = spawn(contained.file, contained.args, {
    cwd: contained.cwd,
    env: contained.env,
    stdio: ["pipe", "pipe", "pipe"],
    // A group of its own: signals reach what a wrapper such as `npx` or `sh -c` has started, and Ctrl-C does not.
    detached: true,
    windowsHide: true,
  });
  try {
    await new Promise<void>((resolve, reject) => {
      child.once("spawn", resolve);
      child.once("error", reject);
    });
  } catch (error) {
    await contained.dispose();
    throw error;
  }
  return supervise(child, contained, graceMs);
}

function supervise(child: ChildProcessWithoutNullStreams, contained: Contained, graceMs: number): Child {
  const pid = child.pid;
  if (pid === undefined) throw new Error("a started child has no process id");
  contained.started(pid);
  const endedListeners: ((how: string) => void)[] = [];
  let how: string | null = null;

  let gathered = "";
  /** Lines of one turn go in one system call, and wake the child once: what is committed together is sent together. */
  function send(): void {
    const lines = gathered;
    gathered = "";
    if (lines !== "") child.stdin.write(lines);
  }

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
      if (gathered === "") process.nextTick(send);
      gathered += line;
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
      send();
      child.stdin.end();
      if (await within(ended, graceMs)) return;
      contained.ask(pid, "SIGTERM");
      if (await within(ended, graceMs)) return;
      killGroup(pid, "SIGKILL");
      await ended;
    },
  };
  living.add(self);
  child.once("close", (code, signal) => {
    living.delete(self);
    const end = contained.endOf(code, signal);
    how = end.signal === null ? `it exited with code ${end.code}` : `it was ended by ${end.signal}`;
    // What cannot be removed is in the machine's temporary folder, and is nobody's.
    contained.dispose().catch(() => undefined);
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
