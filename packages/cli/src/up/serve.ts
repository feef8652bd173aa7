import { once } from "node:events";
import { createServer } from "node:net";
import { RemitError } from "@remit/contract";
import { removeServerNote, writeServerNote } from "../context/server-note.ts";

export type ServeOptions = {
  dataDir: string;
  host: string;
  port: number;
  registryDir: string | null;
  logLevel: string;
  databaseUrl?: string;
  /** How others reach it, where that is not the address it listens on. */
  publicUrl?: string;
  environment?: Readonly<Record<string, string>>;
};

export type Serving = {
  url: string;
  localUrl: string;
  machineKeyFile: string;
  stop(drainFirst?: { noticeMs: number; limitMs: number }): Promise<void>;
};

/** Starts a server in this process and leaves a note of it in its data folder, so that commands find it. */
export async function serve(options: ServeOptions): Promise<Serving> {
  await requireFree(options.host, options.port);
  // The server is large: no other command loads it.
  const { startServer } = await import("@remit/server");
  const { registryDir, ...rest } = options;
  const server = await startServer({ ...rest, ...(registryDir === null ? {} : { registryDir }) });
  await writeServerNote(options.dataDir, { url: server.localUrl, registryDir, pid: process.pid });
  return {
    url: server.url,
    localUrl: server.localUrl,
    machineKeyFile: server.machineKeyFile,
    async stop(drainFirst) {
      await server.stop(drainFirst);
      await removeServerNote(options.dataDir);
    },
  };
}

/** Asked before a database is started for nothing. @throws RemitError `conflict` */
async function requireFree(host: string, port: number): Promise<void> {
  const probe = createServer();
  try {
    probe.listen({ host, port });
    await once(probe, "listening");
  } catch (cause) {
    const taken = cause instanceof Error && "code" in cause && cause.code === "EADDRINUSE";
    const problem = taken ? "is taken; is Remit running already?" : `cannot be listened on: ${String(cause)}.`;
    throw new RemitError("conflict", `${host}:${port} ${problem} Pass --port 0 for a free one.`, { cause });
  } finally {
    probe.close();
  }
}

/** Resolves when somebody asks for the end. */
export function asked(signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    if (signal.aborted) done();
    signal.addEventListener("abort", () => done(), { once: true });
  });
}
