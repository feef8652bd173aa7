import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Whether a real nats-server is installed here (Debian: nats-server). */
export function hasNatsServer(): boolean {
  return spawnSync("nats-server", ["--version"]).status === 0;
}

export type NatsServer = AsyncDisposable & {
  url: string;
  /** In order: it writes down what it has acknowledged, which it does not do before. What power takes from a broker is the broker's. */
  stop(): Promise<void>;
  start(): Promise<void>;
};

/** A real one with JetStream, on a port and in a folder of its own. */
export async function openNatsServer(): Promise<NatsServer> {
  const folder = await mkdtemp(join(tmpdir(), "remit-nats-"));
  const port = await freePort();
  let child: ReturnType<typeof spawn> | null = null;

  async function start(): Promise<void> {
    child = spawn("nats-server", ["-js", "-sd", folder, "-a", "127.0.0.1", "-p", String(port)], { stdio: "ignore" });
    for (const end = Date.now() + 30_000; Date.now() < end;) {
      if (await answers(port)) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error("nats-server did not start");
  }

  async function stop(): Promise<void> {
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    child.kill("SIGTERM");
    await gone;
  }

  await start();
  return {
    url: `nats://127.0.0.1:${port}`,
    start,
    stop,
    [Symbol.asyncDispose]: async () => {
      await stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "data");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
