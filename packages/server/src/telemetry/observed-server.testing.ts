import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { IssuedSecret, LedgerVerdict, LoginLink, RecordedEvent, StartedSession } from "@remit/contract";
import { openTestDatabase } from "../database/testing.ts";
import { startServer } from "../main.ts";
import { withFiles } from "../registry/registry-files.testing.ts";
import { valuesOf } from "./metrics.testing.ts";

const fixture = fileURLToPath(new URL("../upstream/fixtures/fixture-server.ts", import.meta.url));

const tool = (name: string, effect: string): string => `kind: tool
upstream: fixture
name: ${name}
effect: ${effect}
reversibility: none
sensitivity: internal
owner: ben
timeoutMs: 60000
`;

/** Reads are allowed; what writes waits for the support lead. */
const files = withFiles({
  "upstreams/helpdesk.yaml": `kind: upstream
name: fixture
owner: ben
timeoutMs: 60000
transport:
  type: stdio
  command: ${JSON.stringify(process.execPath)}
  args: ${JSON.stringify([fixture])}
`,
  "tools/helpdesk.yaml": [
    tool("echo", "read"),
    tool("fail", "read"),
    tool("slow", "read"),
    tool("meta", "read"),
    tool("huge", "read"),
    tool("structured", "write"),
    tool("pid", "write"),
    tool("grow", "write"),
  ].join("---\n"),
  "agents/support-agent.yaml": `kind: agent
name: support-agent
purpose: Does a bit of everything
accountable: ada
tier: 2
policies: [support]
environments: [staging]
tools: [fixture__echo, fixture__fail, fixture__slow, fixture__meta, fixture__structured, fixture__pid, fixture__grow]
promptFile: agents/support-agent.md
constraints: {}
`,
  "policies/support/gates.cedar": `@id("write.ask") @approval("support-lead")
forbid (principal, action in Remit::Action::"write", resource)
unless { context.approvals.contains(Remit::Team::"support-lead") };

@id("grow.ask") @approval("busy")
forbid (principal, action == Remit::Action::"fixture__grow", resource)
unless { context.approvals.contains(Remit::Team::"busy") };
`,
  // Who never answers in time.
  "teams/busy.yaml": "kind: team\nname: busy\nmembers: [ben, cleo]\napproval: { expiresAfter: PT1S }\n",
});

type CallOptions = { meta?: object; headers?: Record<string, string>; signal?: AbortSignal };
type Called = { outcome: string; code: string | null; text: string };

const busyRounds = 60;
const busyPauseMs = 500;

function isBusy(code: string | null): boolean {
  return code === "control-state-stale" || code === "database-unavailable" || code === "ledger-unavailable";
}

export type ObservedServer = Awaited<ReturnType<typeof openObservedServer>>;

/** A real server with an agent that calls tools of each kind, as people and scrapers see it. Every call has a minute. */
export async function openObservedServer(environment: Record<string, string> = {}) {
  const database = await openTestDatabase();
  const folder = await mkdtemp(join(tmpdir(), "remit-observed-"));
  const dataDir = join(folder, "data");
  const start = () =>
    startServer({
      dataDir,
      registryDir: folder,
      host: "127.0.0.1",
      port: 0,
      logLevel: "silent",
      databaseUrl: database.url,
      // What this machine exports its own telemetry to is not for tests.
      environment: { OTEL_EXPORTER_OTLP_ENDPOINT: "", OTEL_TRACES_SAMPLER: "", ...environment },
    });
  const server = await start();
  const machine = `Machine ${(await readFile(server.machineKeyFile, "utf8")).trim()}`;

  /** A machine that is busy with other things may leave a server without its control state for a moment: then it is asked again. */
  async function ask<Answer>(path: string, body: unknown, authorization: string, more: Record<string, string> = {}): Promise<Answer> {
    for (let left = busyRounds; ; left -= 1) {
      const response = await fetch(`${server.url}${path}`, {
        method: body === undefined ? "GET" : "POST",
        headers: { authorization, accept: "application/json, text/event-stream", "content-type": "application/json", ...more },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const answer = await response.text();
      if (response.ok) return JSON.parse(answer) as Answer;
      if (response.status !== 503 || left === 0) throw new Error(`${path}: ${response.status} ${answer}`);
      await delay(busyPauseMs);
    }
  }

  async function person(party: string): Promise<string> {
    const { url } = await ask<LoginLink>("/v1/links", { party }, machine);
    return `Bearer ${(await ask<StartedSession>("/v1/sessions", { link: url }, machine)).token}`;
  }

  await ask("/v1/registry/apply", { files }, machine);
  const secret = await ask<IssuedSecret>("/v1/agents/support-agent/secrets", {}, machine);
  async function agentToken(): Promise<string> {
    for (let left = busyRounds; ; left -= 1) {
      const issued = await fetch(`${server.url}/oidc/token`, {
        method: "POST",
        headers: { authorization: `Basic ${Buffer.from(`${secret.clientId}:${secret.clientSecret}`).toString("base64")}` },
        body: new URLSearchParams({ grant_type: "client_credentials", resource: `${server.url}/mcp` }),
      });
      const { access_token: token } = (await issued.json()) as { access_token?: string };
      if (token !== undefined) return token;
      if (left === 0) throw new Error(`/oidc/token: ${issued.status}`);
      await delay(busyPauseMs);
    }
  }
  const agent = `Bearer ${await agentToken()}`;
  let calls = 0;

  async function callOnce(name: string, args: object, more: CallOptions): Promise<Called> {
    calls += 1;
    const params = { name: `fixture__${name}`, arguments: args, ...(more.meta === undefined ? {} : { _meta: more.meta }) };
    const response = await fetch(`${server.url}/mcp`, {
      method: "POST",
      headers: { authorization: agent, accept: "application/json, text/event-stream", "content-type": "application/json", ...more.headers },
      body: JSON.stringify({ jsonrpc: "2.0", id: calls, method: "tools/call", params }),
      ...(more.signal === undefined ? {} : { signal: more.signal }),
    });
    const { result, error } = (await response.json()) as {
      error?: { data?: { code?: string } };
      result?: { content?: { text?: string }[]; _meta?: { "remit/outcome"?: { type: string; code?: string } } };
    };
    const text = (result?.content ?? []).map((block) => block.text ?? "").join("\n");
    const told = result?._meta?.["remit/outcome"];
    return { outcome: result === undefined ? "error" : (told?.type ?? "succeeded"), code: told?.code ?? error?.data?.code ?? null, text };
  }

  return {
    url: server.url,
    database,
    dataDir,
    machine,
    ask,
    person,
    /** A call of the agent's: what came of it, and as which action. */
    async call(name: string, args: object = {}, more: CallOptions = {}): Promise<Called> {
      for (let left = busyRounds; ; left -= 1) {
        const called = await callOnce(name, args, more);
        if (!isBusy(called.code) || left === 0) return called;
        await delay(busyPauseMs);
      }
    },
    async metrics(): Promise<Map<string, number>> {
      const response = await fetch(`${server.url}/metrics`, { headers: { authorization: machine } });
      return valuesOf(await response.text());
    },
    metricsToken: () => readFile(join(dataDir, "metrics.token"), "utf8"),
    /** All entries, oldest first, each in its place. */
    async entries(): Promise<RecordedEvent[]> {
      const entries: RecordedEvent[] = [];
      let cursor = "";
      for (;;) {
        const page = await ask<{ items: RecordedEvent[]; next: string | null }>(
          `/v1/audit/entries?order=oldest&limit=200${cursor}`,
          undefined,
          machine,
        );
        entries.push(...page.items);
        if (page.next === null) return entries;
        cursor = `&cursor=${encodeURIComponent(page.next)}`;
      }
    },
    verify: () => ask<LedgerVerdict>("/v1/audit/verify", undefined, machine),
    stop: () => server.stop(),
    async [Symbol.asyncDispose]() {
      await server.stop();
      await database[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
