import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ActionOutcome, EntryType, IssuedSecret, LedgerVerdict, LoginLink, StartedSession } from "@remit/contract";
import { openTestDatabase } from "../database/testing.ts";
import { withFiles } from "../registry/registry-files.testing.ts";
import type { CrashPoint } from "./crash-point.ts";

const fixture = (name: string): string => fileURLToPath(new URL(`./fixtures/${name}.ts`, import.meta.url));

const tool = (name: string): string => `kind: tool
upstream: durable
name: ${name}
effect: write
reversibility: none
sensitivity: internal
owner: ben
`;

/** Notes are written; mail waits for the support lead. */
const files = (log: string): Record<string, string> =>
  withFiles({
    "upstreams/helpdesk.yaml": `kind: upstream
name: durable
owner: ben
transport:
  type: stdio
  command: ${JSON.stringify(process.execPath)}
  args: ${JSON.stringify([fixture("durable-upstream"), log])}
  sandbox: { write: [${JSON.stringify(dirname(log))}] }
`,
    "tools/helpdesk.yaml": [tool("note"), tool("mail")].join("---\n"),
    "agents/support-agent.yaml": `kind: agent
name: support-agent
purpose: Writes notes
accountable: ada
tier: 2
policies: [support]
environments: [staging]
tools: [durable__note, durable__mail]
promptFile: agents/support-agent.md
constraints: {}
`,
    "policies/support/gates.cedar": `@id("mail.ask") @approval("support-lead")
forbid (principal, action == Remit::Action::"durable__mail", resource)
unless { context.approvals.contains(Remit::Team::"support-lead") };
`,
  });

export type CrashWorld = Awaited<ReturnType<typeof openCrashWorld>>;

/** A data folder, a database and a port that servers come and go on, and an upstream that writes down what it does. */
export async function openCrashWorld() {
  const test = await openTestDatabase();
  const folder = await mkdtemp(join(tmpdir(), "remit-crash-"));
  const log = join(folder, "executed.txt");
  await writeFile(log, "");
  const port = await freePort();
  const base = `http://127.0.0.1:${port}`;
  const children = new Set<ChildProcess>();
  let secret: IssuedSecret | null = null;

  async function start(crashPoint: CrashPoint | null = null) {
    const environment = { TEST_DATA_DIR: join(folder, "data"), TEST_REGISTRY_DIR: folder, TEST_PORT: String(port), DATABASE_URL: test.url };
    const child = spawn(process.execPath, [fixture("crash-server")], {
      env: { ...process.env, ...environment, REMIT_CRASH_POINT: crashPoint ?? "" },
      stdio: ["ignore", "pipe", "inherit"],
    });
    children.add(child);
    const exited = once(child, "exit").then(([code, signal]) => {
      children.delete(child);
      return { code: code as number | null, signal: signal as string | null };
    });
    await Promise.race([once(child.stdout, "data"), exited.then((how) => Promise.reject(new Error(`it ended: ${JSON.stringify(how)}`)))]);
    const stop = async (): Promise<void> => {
      child.kill("SIGTERM");
      await exited;
    };
    return { exited, stop };
  }

  async function ask<Answer>(path: string, body: unknown, authorization: string): Promise<Answer> {
    const response = await fetch(`${base}${path}`, {
      method: body === undefined ? "GET" : "POST",
      headers: { authorization, accept: "application/json, text/event-stream", "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const answer = await response.text();
    if (!response.ok) throw new Error(`${path}: ${response.status} ${answer}`);
    return JSON.parse(answer) as Answer;
  }

  const machine = async (): Promise<string> => `Machine ${(await readFile(join(folder, "data", "machine.key"), "utf8")).trim()}`;

  async function person(party: string): Promise<string> {
    const { url } = await ask<LoginLink>("/v1/links", { party }, await machine());
    return `Bearer ${(await ask<StartedSession>("/v1/sessions", { link: url }, await machine())).token}`;
  }

  async function agentToken(): Promise<string> {
    secret ??= await ask<IssuedSecret>("/v1/agents/support-agent/secrets", {}, await person("ada"));
    const response = await fetch(`${base}/oidc/token`, {
      method: "POST",
      headers: { authorization: `Basic ${Buffer.from(`${secret.clientId}:${secret.clientSecret}`).toString("base64")}` },
      body: new URLSearchParams({ grant_type: "client_credentials", resource: secret.resource }),
    });
    return `Bearer ${((await response.json()) as { access_token: string }).access_token}`;
  }

  return {
    ...test,
    start,
    apply: async () => ask("/v1/registry/apply", { files: files(log) }, await machine()),
    /** One call by the agent, over MCP. */
    async call(name: "note" | "mail", text: string): Promise<ActionOutcome["type"]> {
      const request = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: `durable__${name}`, arguments: { text } } };
      const { result } = await ask<{ result: { _meta: { "remit/outcome"?: ActionOutcome } } }>("/mcp", request, await agentToken());
      return result._meta["remit/outcome"]?.type ?? "succeeded";
    },
    /** Approves the newest request. Taken apart from what it leads to, which may be the end of the server. */
    async prepareApproval() {
      const ben = await person("ben");
      const { items } = await ask<{ items: { id: string; digest: string }[] }>("/v1/approvals?state=pending", undefined, ben);
      const [newest] = items;
      if (newest === undefined) throw new Error("nothing waits");
      return () => ask(`/v1/approvals/${newest.id}/votes`, { vote: "approve", digest: newest.digest }, ben);
    },
    verify: async () => ask<LedgerVerdict>("/v1/audit/verify", undefined, await person("dana").catch(() => person("ada"))),
    /** How often the upstream did this. */
    executed: async (text: string) => (await readFile(log, "utf8")).split("\n").filter((line) => line === text).length,
    /** Actions that began after so many others, oldest first, each with its entries. `urgent`: how often somebody was told at once. */
    async actions(after: number) {
      return test.superuser.query<{ state: string; entries: EntryType[]; urgent: number }>(
        `SELECT state, ARRAY(SELECT type FROM ledger_entry e WHERE e.action_id = action.id) AS entries,
           (SELECT count(*)::int FROM ledger_entry e WHERE e.action_id = action.id AND convert_from(body, 'UTF8') LIKE '%"urgent":true%') AS urgent
         FROM action ORDER BY place OFFSET $1`,
        [after],
      );
    },
    /** Makes servers that were killed look as if that had been a while ago. */
    letTimePass: () => test.superuser.query("UPDATE server_instance SET heartbeat_at = heartbeat_at - interval '1 minute'"),
    async [Symbol.asyncDispose]() {
      for (const child of children) {
        child.kill("SIGKILL");
        await once(child, "exit");
      }
      await test[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((found) => {
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => found(port));
    });
  });
}
