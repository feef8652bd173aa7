import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { ActionView, RunView, StartedRun } from "@remit/contract";

/**
 * A server whose every answer a test decides: for what a real one does too rarely to be tested with (limits reached at a
 * given moment, a halt, going away). Its agent reports actions by posting them to `REMIT_MCP_URL`.
 */
export type ScriptedServer = {
  url: string;
  run: RunView;
  actions: ActionView[];
  /** What it was asked, `POST /v1/runs {"workflow":…}`. */
  asked: string[];
  ended: { outcome: string; reason: string }[];
  /** How many items are left to claim. */
  items: number;
  renewals: number;
  tokenLifetimeMs: number;
  /** Answers everything with this problem from now on. */
  fail: { status: number; code: string; detail: string } | null;
  /** The same, for renewals of the token only. */
  failRenewal: { status: number; code: string; detail: string } | null;
  stop(): Promise<void>;
};

const runView: RunView = {
  id: "run_00000000000000000000000000000001",
  state: "running",
  workflow: "triage",
  agent: "support-triage",
  accountable: "ines",
  environment: "staging",
  policy: "customer_support_tier1_v3",
  queue: "billing-tier1",
  subject: "T-1042 Where is my refund?",
  limits: { actions: 3, deadline: "2026-11-21T10:02:00.000Z" },
  startedAt: "2026-11-21T10:00:00.000Z",
  endedAt: null,
  reason: null,
  actions: {},
};

export async function startScriptedServer(agent: { command: string[] }): Promise<ScriptedServer> {
  const http = createServer((request, response) => void answer(request, response));
  await new Promise<void>((listening) => http.listen(0, "127.0.0.1", listening));
  const server: ScriptedServer = {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    run: structuredClone(runView),
    actions: [],
    asked: [],
    ended: [],
    items: 1,
    renewals: 0,
    tokenLifetimeMs: 300_000,
    fail: null,
    failRenewal: null,
    stop: () =>
      new Promise((stopped) => {
        http.close(() => stopped());
        http.closeAllConnections();
      }),
  };
  return server;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = "";
    for await (const chunk of request) text += String(chunk);
    const { pathname } = new URL(request.url ?? "/", server.url);
    const send = (status: number, value: unknown) =>
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
    const refuse = ({ status, code, detail }: { status: number; code: string; detail: string }) =>
      send(status, { type: `about:blank#${code}`, title: code, status, detail, code, issues: [], requestId: "r1" });
    if (pathname === "/mcp") {
      server.actions.push(actionView(server.actions.length + 1, JSON.parse(text) as Partial<ActionView>));
      return void send(200, {});
    }
    server.asked.push(`${request.method ?? ""} ${pathname} ${text}`.trim());
    if (server.fail !== null) return void refuse(server.fail);
    const route = `${request.method ?? ""} ${pathname.replace(server.run.id, ":run")}`;
    switch (route) {
      case "POST /v1/runs":
        return void send(server.items === 0 ? 200 : 201, start());
      case "POST /v1/runs/:run/token":
        if (server.failRenewal !== null) return void refuse(server.failRenewal);
        server.renewals += 1;
        return void send(200, { token: `token-${server.renewals}`, tokenExpiresAt: inFuture() });
      case "POST /v1/runs/:run/end":
        return end(JSON.parse(text) as { outcome: "completed"; reason: string });
      case "GET /v1/runs/:run":
        return void send(200, server.run);
      case "GET /v1/runs/:run/actions":
        return void send(200, { items: server.actions, next: null });
      default:
        return void refuse({ status: 404, code: "not-found", detail: `no ${route}` });
    }

    function end(body: { outcome: "completed"; reason: string }): void {
      server.ended.push({ outcome: body.outcome, reason: body.reason });
      server.run = { ...server.run, state: server.run.state === "running" ? body.outcome : server.run.state, reason: body.reason };
      send(200, server.run);
    }
  }

  function start(): StartedRun {
    if (server.items === 0) return { run: null, reason: "queue-empty" };
    server.items -= 1;
    server.actions = [];
    server.run = { ...server.run, state: "running", reason: null };
    return {
      run: server.run,
      token: "token-0",
      tokenExpiresAt: inFuture(),
      mcpUrl: `${server.url}/mcp`,
      agent: { command: agent.command, cwd: null, sandbox: null },
      item: { id: "itm_1", queue: "billing-tier1", subject: "T-1042 Where is my refund?", payload: { ticketId: "T-1042" }, attempt: 1 },
    };
  }

  function inFuture(): string {
    return new Date(Date.now() + server.tokenLifetimeMs).toISOString();
  }
}

function actionView(number: number, given: Partial<ActionView>): ActionView {
  return {
    id: `act_${String(number).padStart(32, "0")}`,
    state: "succeeded",
    tool: "helpdesk__tickets.read",
    agent: "support-triage",
    runId: runView.id,
    code: null,
    reason: null,
    approvalId: null,
    requestedAt: runView.startedAt,
    endedAt: runView.startedAt,
    ...given,
  };
}
