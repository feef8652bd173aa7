import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { asked, createTerminal, serve } from "@remit/cli";
import type { Surroundings } from "@remit/cli";
import { startSupportWorld } from "@remit/example-support";
import { startEmbeddedPostgres } from "@remit/server";
import { createReport } from "./report.ts";
import type { Report } from "./report.ts";
import { showExample } from "./show-example.ts";
import type { Running } from "./show-example.ts";

const registryDir = resolve(import.meta.dirname, "../../examples/support");

export type StartOptions = { json: boolean; once: boolean; port: number; dataDir: string | null };

/** Starts everything, shows the example, and serves until somebody asks for the end. Returns the exit code. */
export async function startAll(around: Surroundings, options: StartOptions): Promise<number> {
  const { asked: interrupted, insisted } = around.interruption();
  const dataDir = resolve(around.cwd, options.dataDir ?? around.env["REMIT_DATA_DIR"] ?? ".remit");
  // Sessions are kept with the data folder, where commands that are typed beside it look for them.
  const local: Surroundings = { ...around, env: { ...around.env, REMIT_DATA_DIR: dataDir } };
  const report = createReport(createTerminal(around, { json: options.json, quiet: false }));
  const closing: (() => Promise<void>)[] = [];
  try {
    const running = await startServing(local, { dataDir, port: options.port, closing, report });
    const outcome = await showExample(local, running, { report, interrupted, insisted });
    if (outcome === null) return 1;
    report.ready(outcome, dataDir === resolve(around.cwd, ".remit") ? null : dataDir);
    if (options.once) return outcome.failedRuns > 0 || !outcome.verdict.ok ? 1 : 0;
    await asked(interrupted);
    return 0;
  } finally {
    report.stopping();
    await Promise.race([closeAll(closing), asked(insisted)]);
  }
}

async function startServing(
  around: Surroundings,
  options: { dataDir: string; port: number; closing: (() => Promise<void>)[]; report: Report },
): Promise<Running> {
  const { dataDir, port, closing, report } = options;
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const databaseUrl = await report.step("PostgreSQL", async () => {
    const given = around.env["DATABASE_URL"] ?? "";
    if (given !== "") return given;
    const postgres = await startEmbeddedPostgres({ dataFolder: dataDir });
    closing.unshift(() => postgres.stop());
    return postgres.ownerUrl;
  });
  const worldDir = join(dataDir, "support");
  await mkdir(worldDir, { recursive: true, mode: 0o700 });
  const world = await report.step("the helpdesk's database and mail server", () =>
    startSupportWorld({ databaseAdminUrl: databaseUrl, dir: worldDir }),
  );
  closing.unshift(() => world.stop());
  const serving = await report.step("Remit", () =>
    // The server starts the helpdesk and passes its two addresses on to it, and to nobody else.
    serve({ dataDir, host: "127.0.0.1", port, databaseUrl, registryDir, logLevel: "error", environment: world.env }),
  );
  closing.unshift(() => serving.stop());
  return { url: serving.url, machineKeyFile: serving.machineKeyFile, registryDir, world };
}

/** The server before what it needs; one that fails does not keep the others open. */
async function closeAll(closing: readonly (() => Promise<void>)[]): Promise<void> {
  for (const close of closing) {
    try {
      await close();
    } catch (error) {
      console.error(error instanceof Error ? error.message : String(error));
    }
  }
}
