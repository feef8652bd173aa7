import { createInterface } from "node:readline";
import { cpuTimeOfTree, memoryOfTree } from "../process-tree.ts";
import { echoHandler, echoHttp, echoStdio, freePort, startNode } from "./child.ts";
import { openHttpSession } from "./http-session.ts";
import type { Target } from "./target.ts";

/** The echo server over HTTP, nothing between: with sessions. */
export function startDirectHttp(): Promise<Target> {
  return startHttp("direct, HTTP", echoHttp);
}

/** The same by the SDK's own handler, without sessions. */
export function startSdkHandler(): Promise<Target> {
  return startHttp("direct, SDK handler", echoHandler);
}

async function startHttp(name: string, program: string): Promise<Target> {
  const port = await freePort();
  const child = startNode([program, String(port)]);
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

/** The echo server over stdio, nothing between: what the upstream behind every relay costs by itself. */
export async function startDirectStdio(): Promise<Target> {
  const child = startNode([echoStdio]);
  const { stdin, stdout } = child.process;
  if (stdin === null || stdout === null) throw new Error("the echo server has no pipes");
  const waiting = new Map<number, (line: string) => void>();
  createInterface({ input: stdout }).on("line", (line) => {
    const { id } = JSON.parse(line) as { id?: number };
    if (id === undefined) return;
    waiting.get(id)?.(line);
    waiting.delete(id);
  });
  let nextId = 0;
  function request(method: string, params: object): Promise<string> {
    const id = nextId++;
    return new Promise((resolve) => {
      waiting.set(id, resolve);
      stdin?.write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`);
    });
  }
  await request("initialize", { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "bench", version: "1" } });
  stdin.write(`${JSON.stringify({ jsonrpc: "2.0", method: "notifications/initialized" })}\n`);
  return {
    name: "direct, stdio",
    async call(text) {
      const answer = await request("tools/call", { name: "echo", arguments: { text } });
      if (!answer.includes(`"text":"${text}"`)) throw new Error(`not an echo: ${answer.slice(0, 500)}`);
    },
    cpuTime: () => cpuTimeOfTree(child.pid),
    memory: () => memoryOfTree(child.pid),
    stop: () => child.stop(),
  };
}
