import { fileURLToPath } from "node:url";
import { cpuTimeOfTree, memoryOfTree } from "../process-tree.ts";
import { echoStdio, freePort, startNode } from "./child.ts";
import { openHttpSession } from "./http-session.ts";
import type { Target } from "./target.ts";

const program = fileURLToPath(import.meta.resolve("supergateway/dist/index.js"));

/** supergateway before the same echo server over stdio, one child for each session. It relays, and governs nothing. */
export async function startSupergateway(): Promise<Target> {
  const port = await freePort();
  const command = `"${process.execPath}" "${echoStdio}"`;
  const options = ["--stdio", command, "--outputTransport", "streamableHttp", "--stateful", "--port", String(port), "--logLevel", "none"];
  const child = startNode([program, ...options]);
  child.process.stdout?.resume();
  const session = await openHttpSession(new URL(`http://127.0.0.1:${port}/mcp`));
  return {
    name: "supergateway, stateful",
    call: (text) => session.call("echo", text),
    cpuTime: () => cpuTimeOfTree(child.pid),
    memory: () => memoryOfTree(child.pid),
    async stop() {
      await session.close();
      await child.stop();
    },
  };
}
