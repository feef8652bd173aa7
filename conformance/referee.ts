import { spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { parse } from "yaml";
import { z } from "zod";

/** The tool that judges, as its authors publish it. */
const refereeFolder = dirname(createRequire(import.meta.url).resolve("@modelcontextprotocol/conformance/package.json"));

export const revisions = ["2025-11-25", "2026-07-28"] as const;
export type Revision = (typeof revisions)[number];
export type Leg = "server" | "client";

const checkSchema = z.object({
  id: z.string(),
  status: z.enum(["SUCCESS", "FAILURE", "WARNING", "SKIPPED", "INFO"]),
  description: z.string().default(""),
  errorMessage: z.string().optional(),
  details: z.unknown().optional(),
});
export type Check = z.infer<typeof checkSchema>;

/** What was found, by scenario. A scenario that broke down left nothing, and is not here. */
export type Verdict = ReadonlyMap<string, readonly Check[]>;

const requirementsSchema = z.object({
  server: z.array(z.string()),
  client: z.array(z.string()),
});

/** The scenarios that a revision requires; frozen by those who publish it. */
export async function requiredScenarios(revision: Revision, leg: Leg): Promise<readonly string[]> {
  const text = await readFile(join(refereeFolder, "requirements", `${revision}.yaml`), "utf8");
  return requirementsSchema.parse(parse(text))[leg];
}

export async function refereeVersion(): Promise<string> {
  return z.object({ version: z.string() }).parse(JSON.parse(await readFile(join(refereeFolder, "package.json"), "utf8"))).version;
}

/** All scenarios of a client are begun at once, and a busy machine takes its time. */
const scenarioTimeoutMs = 240_000;

type Subject = { url: string } | { command: string; environment: Record<string, string> };

/** Runs the scenarios of a revision, or one of them, against a server's address, or against a command that is a client. */
export async function judge(revision: Revision, subject: Subject, scenario: string | null = null): Promise<Verdict> {
  const folder = await mkdtemp(join(tmpdir(), "remit-conformance-"));
  try {
    const what = "url" in subject ? ["server", "--url", subject.url] : ["client", "--command", subject.command];
    const environment = "url" in subject ? {} : subject.environment;
    const which = scenario === null ? ["--requirements", revision] : ["--scenario", scenario, "--spec-version", revision, "--force"];
    await run([...what, ...which, "--timeout", `${scenarioTimeoutMs}`, "--output-dir", folder], environment);
    return await readVerdict(folder, "url" in subject ? "server-" : "");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Its exit code says that something failed, which its files say better. */
function run(args: readonly string[], environment: Record<string, string>): Promise<void> {
  return new Promise((ended, failed) => {
    const child = spawn(process.execPath, [join(refereeFolder, "dist/index.js"), ...args], {
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, NO_COLOR: "1", ...environment },
    });
    let said = "";
    child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
    child.once("error", failed);
    child.once("close", (code) =>
      code === 0 || code === 1 ? ended() : failed(new Error(`the referee ended with ${code}: ${said.slice(-2_000)}`)),
    );
  });
}

/** One folder a scenario, `server-<scenario>-<time>` or `<scenario>-<time>`; names of scenarios may have a slash. */
async function readVerdict(folder: string, prefix: string): Promise<Verdict> {
  const verdict = new Map<string, readonly Check[]>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.name !== "checks.json") continue;
    const name = relative(folder, entry.parentPath)
      .slice(prefix.length)
      .replace(/-\d{4}-\d\d-\d\dT[\d-]+Z$/, "");
    const checks = z.array(checkSchema).parse(JSON.parse(await readFile(join(entry.parentPath, entry.name), "utf8")));
    verdict.set(name, checks);
  }
  return verdict;
}
