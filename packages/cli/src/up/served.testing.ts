import { mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { openTestDatabase } from "@remit/server/testing";
import { expect } from "vitest";
import { runCommandLine } from "../frame/program.ts";
import type { TestSurroundings } from "../terminal/surroundings.testing.ts";
import { testSurroundings } from "../terminal/surroundings.testing.ts";
import { serve } from "./serve.ts";

/** `answers`: what is typed at its questions. `piped`: what stands on its standard input. */
export type Input = { answers?: string; piped?: string };

/** A real server on a database of its own, and the commands of whoever owns its data folder. */
export type Served = {
  folder: string;
  url: string;
  database: Awaited<ReturnType<typeof openTestDatabase>>;
  /** A command that is still running. */
  start(args: readonly string[], input?: Input): { around: TestSurroundings; exit: Promise<number> };
  remit(args: readonly string[], input?: Input): Promise<{ exit: number; out: string; err: string }>;
  logIn(party: string, context: string): Promise<void>;
  stop(): Promise<void>;
};

/** `registry`: files of the folder `registry`, which nobody has applied yet. Whoever calls it stops it. */
export async function serveRegistry(
  registry: Readonly<Record<string, string>>,
  environment: Readonly<Record<string, string>> = {},
): Promise<Served> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "remit-served-")));
  await mkdir(join(folder, "registry"));
  for (const [path, text] of Object.entries(registry)) {
    await mkdir(join(folder, "registry", path, ".."), { recursive: true });
    await writeFile(join(folder, "registry", path), text);
  }
  const database = await openTestDatabase();
  const serving = await serve({
    dataDir: join(folder, ".remit"),
    host: "127.0.0.1",
    port: 0,
    databaseUrl: database.url,
    registryDir: join(folder, "registry"),
    logLevel: "silent",
    environment,
  });

  function start(args: readonly string[], { answers, piped }: Input = {}) {
    const around = testSurroundings({ cwd: folder, env: { HOME: folder }, ...(answers === undefined ? {} : { answers }) });
    if (piped !== undefined) Object.assign(around, { stdin: Readable.from([piped]) });
    return { around, exit: runCommandLine(args, around) };
  }
  async function remit(args: readonly string[], input: Input = {}) {
    const { around, exit } = start(args, input);
    return { exit: await exit, out: around.out(), err: around.err() };
  }

  return {
    folder,
    url: serving.url,
    database,
    start,
    remit,
    async logIn(party, context) {
      const { out } = await remit(["link", party]);
      expect((await remit(["login", out.trim(), "--context", context])).exit).toBe(0);
    },
    async stop() {
      await serving.stop();
      await database[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
}
