import { fileURLToPath } from "node:url";
import { cpuTimeOfTree, memoryOfTree } from "../process-tree.ts";
import { echoStdio, freePort, startNode } from "./child.ts";
import { openHttpSession } from "./http-session.ts";
import type { Target } from "./target.ts";

/** The package exports no path to its program; it lies beside its entry. */
const program = fileURLToPath(new URL("./bin/mcp-proxy.mjs", import.meta.resolve("mcp-proxy")));

/** mcp-proxy before the same echo server over stdio. It relays, and governs nothing. */
export async function startMcpProxy(name: string, options: readonly string[]): Promise<Target> {
  const port = await freePort();
  const child = startNode([
    program,
    "--host",
    "127.0.0.1",
    "--port",
    String(port),
    "--server",
    "stream",
    ...options,
    "--",
    process.execPath,
    echoStdio,
  ]);
  // Its output is not wanted, but a full pipe would stop it.
  child.process.stdout?.resume();
  const session = await openHttpSession(new URL(`http://127.0.0.1:${port}/mcp`));
  return {
    name,
    call: (text) => session.call("echo", text),
    cpuTime: () => cpuTimeOfTree(child.pid),
    memory: () => memoryOfTree(child.pid),
    async stop() {
      await session.close();
      await child.stop();
    },
  };
}
