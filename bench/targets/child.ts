import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";

export const echoStdio = fileURLToPath(new URL("../servers/echo-stdio.ts", import.meta.url));
export const echoManyStdio = fileURLToPath(new URL("../servers/echo-many-stdio.ts", import.meta.url));
export const echoHandler = fileURLToPath(new URL("../servers/echo-handler.ts", import.meta.url));
export const echoHttp = fileURLToPath(new URL("../servers/echo-http.ts", import.meta.url));

export type Child = { process: ChildProcess; pid: number; stop(): Promise<void> };

/** Starts a Node program with its output out of the way; its errors are shown. */
export function startNode(args: readonly string[], options: { env?: NodeJS.ProcessEnv; cwd?: string } = {}): Child {
  const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"], ...options });
  const { pid } = child;
  if (pid === undefined) throw new Error(`could not start node ${args.join(" ")}`);
  return {
    process: child,
    pid,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, "exit");
      child.kill("SIGTERM");
      const late = setTimeout(() => child.kill("SIGKILL"), 5_000);
      await exited;
      clearTimeout(late);
    },
  };
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}
