import { once } from "node:events";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cpuTimeOfTree, memoryOfTree } from "../process-tree.ts";
import { echoStdio, startNode } from "./child.ts";
import { openHttpSession } from "./http-session.ts";
import type { Target } from "./target.ts";

const program = fileURLToPath(new URL("../servers/durable-relay.ts", import.meta.url));

/** A relay that governs nothing and commits twice: what nobody who writes before acting can go below. */
export async function startDurableRelay(): Promise<Target> {
  const folder = await mkdtemp(join(tmpdir(), "durable-relay-"));
  // PostgreSQL may run as another user, who has to reach its data.
  await chmod(folder, 0o755);
  const child = startNode([program, join(folder, "data"), echoStdio]);
  async function stop(): Promise<void> {
    await child.stop();
    await rm(folder, { recursive: true, force: true });
  }
  try {
    if (child.process.stdout === null) throw new Error("the relay has no stdout");
    const [port] = (await once(child.process.stdout, "data")) as [Buffer];
    const session = await openHttpSession(new URL(`http://127.0.0.1:${Number(port.toString())}/mcp`));
    return {
      name: "two commits, no governance",
      call: (text) => session.call("echo", text),
      cpuTime: () => cpuTimeOfTree(child.pid),
      memory: () => memoryOfTree(child.pid),
      async stop() {
        await session.close();
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
