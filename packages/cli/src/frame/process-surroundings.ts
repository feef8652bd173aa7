import type { Surroundings } from "../terminal/terminal.ts";

/** This process, as the surroundings of a command. */
export function processSurroundings(): Surroundings {
  let interruption: ReturnType<Surroundings["interruption"]> | undefined;
  // `remit audit query | head` closes our stdout: that is no failure.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EPIPE") process.exit(0);
      throw error;
    });
  }
  return {
    env: process.env,
    cwd: process.cwd(),
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    // Handlers only where somebody needs them: without them Ctrl-C simply ends a command.
    interruption() {
      interruption ??= listen();
      return interruption;
    },
  };
}

/** One Ctrl-C under npm arrives twice: from the terminal, and forwarded by npm. */
const sameSignalMs = 300;

function listen() {
  const asked = new AbortController();
  const insisted = new AbortController();
  let askedAt = 0;
  const interrupt = (signal: string) => {
    if (!asked.signal.aborted) {
      askedAt = performance.now();
      asked.abort(signal);
    } else if (performance.now() - askedAt > sameSignalMs) insisted.abort(signal);
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => interrupt(signal));
  return { asked: asked.signal, insisted: insisted.signal };
}
