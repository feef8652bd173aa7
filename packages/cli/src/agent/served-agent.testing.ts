import { mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openTestDatabase } from "@remit/server/testing";
import { expect } from "vitest";
import { runCommandLine } from "../frame/program.ts";
import { testSurroundings } from "../terminal/surroundings.testing.ts";
import { serve } from "../up/serve.ts";

/** A real server with a registry, in which Ada and Ben are logged in and one agent has credentials. */
export type ServedAgent = {
  folder: string;
  url: string;
  /** What `remit agents secret new --json` printed. */
  credentials: string;
  remit(args: readonly string[], answers?: string): Promise<{ exit: number; out: string; err: string }>;
  stop(): Promise<void>;
};

const always: Record<string, string> = {
  "remit.yaml": `apiVersion: remit/v1
organisation: { name: acme, trustDomain: acme.example, timeZone: Europe/Berlin }
`,
  "parties/people.yaml": `kind: party
name: ada
displayName: Ada
roles: [admin]
---
kind: party
name: ben
displayName: Ben
`,
  "teams/all.yaml": `kind: team
name: maintainers
members: [ada, ben]
approval: {}
`,
  "environments/all.yaml": `kind: environment
name: laptop
type: dev
`,
};

/** `files`: the rest of the registry, with `agent` in it. Whoever calls it stops it. */
export async function serveAgent(agent: string, files: Readonly<Record<string, string>>): Promise<ServedAgent> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "remit-agent-")));
  for (const [path, text] of Object.entries({ ...always, ...files })) {
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
  });

  async function remit(args: readonly string[], answers?: string) {
    const around = testSurroundings({ cwd: folder, env: { HOME: folder }, ...(answers === undefined ? {} : { answers }) });
    const exit = await runCommandLine(args, around);
    return { exit, out: around.out(), err: around.err() };
  }

  const applied = await remit(["apply", "registry", "--yes"]);
  expect(applied.err + applied.out).toContain("Applied");
  for (const person of ["ada", "ben"]) {
    const { out } = await remit(["link", person]);
    expect((await remit(["login", out.trim(), "--context", person])).exit).toBe(0);
  }
  const credentials = join(folder, `${agent}.json`);
  await writeFile(credentials, (await remit(["agents", "secret", "new", agent, "--context", "ada", "--json"])).out, { mode: 0o600 });
  return {
    folder,
    url: serving.url,
    credentials,
    remit,
    async stop() {
      await serving.stop();
      await database[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
}
