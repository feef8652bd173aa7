import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { toNodeHandler } from "@modelcontextprotocol/node";
import type { NodeIncomingMessageLike } from "@modelcontextprotocol/node";
import { createMcpHandler, Server } from "@modelcontextprotocol/server";
import type { CallToolResult } from "@modelcontextprotocol/server";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestWorld } from "../testing.ts";
import type { TestWorld } from "../testing.ts";

const program = fileURLToPath(new URL("triage.ts", import.meta.url));
const approvalLink = "http://127.0.0.1:1/approvals/apr_1";

let world: TestWorld;
beforeAll(async () => {
  world = await startTestWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

/** Answers as Remit's gateway does: mails wait, exports are refused, everything else goes to the helpdesk. */
async function answer(qualified: string, input: Record<string, unknown>): Promise<CallToolResult> {
  const name = qualified.replace(/^helpdesk__/, "");
  const told = (outcome: Record<string, unknown>): CallToolResult => ({ content: [], isError: true, _meta: { "remit/outcome": outcome } });
  if (name === "send_email") return told({ type: "waiting", teams: ["support-lead"], link: approvalLink });
  if (name === "customers.export") return told({ type: "denied", code: "tool-not-granted", reason: "It is not in the agent's list" });
  return world.helpdesk(name, input);
}

async function withGateway<Result>(work: (url: string, headers: () => (string | undefined)[]) => Promise<Result>): Promise<Result> {
  const seen: (string | undefined)[] = [];
  const mcp = toNodeHandler(
    createMcpHandler(() => {
      const server = new Server({ name: "gateway", version: "1" }, { capabilities: { tools: {} } });
      server.setRequestHandler("tools/list", async () => ({
        tools: [
          { name: "helpdesk__tickets.read", inputSchema: { type: "object" as const } },
          { name: "helpdesk__send_email", inputSchema: { type: "object" as const } },
        ],
      }));
      server.setRequestHandler("tools/call", async ({ params }) => answer(params.name, params.arguments ?? {}));
      return server;
    }),
  );
  const http = createServer((request, response) => {
    seen.push(request.headers.authorization, request.headers["traceparent"]?.toString());
    void mcp(request as NodeIncomingMessageLike, response);
  });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  try {
    return await work(`http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`, () => seen);
  } finally {
    http.closeAllConnections();
    http.close();
  }
}

async function run(env: Record<string, string>): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [program], { env: { PATH: process.env["PATH"] ?? "", ...env }, stdio: ["ignore", "pipe", "pipe"] });
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { code: child.exitCode ?? -1, stdout, stderr };
}

const workItem = (ticketId: string) => JSON.stringify({ id: "itm_1", subject: ticketId, payload: { ticketId } });
const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

test("works a ticket over MCP, says each step on a line, and is done also where it was told to wait or no", async () => {
  await withGateway(async (url, headers) => {
    const done = await run({ REMIT_MCP_URL: url, REMIT_TOKEN: "t0ken", REMIT_WORK_ITEM: workItem("BIL-1023"), TRACEPARENT: traceparent });
    expect(done.stderr).toBe("");
    expect(done.stdout.trim().split("\n")).toEqual([
      "BIL-1023  read BIL-1023: done",
      "BIL-1023  call customers.export: refused, tool-not-granted: It is not in the agent's list",
      `BIL-1023  mail to compliance@dropzone-audit.example: waits for support-lead (${approvalLink})`,
      "BIL-1023  search the knowledge base: done",
      `BIL-1023  mail to ingrid@nordlys-outdoor.example: waits for support-lead (${approvalLink})`,
    ]);
    expect(done.code).toBe(0);
    expect(new Set(headers())).toEqual(new Set(["Bearer t0ken", traceparent]));
    expect(done.stdout).not.toContain("t0ken");
  });
});

test("says in one line what is wrong with itself, and fails", async () => {
  expect(await run({})).toMatchObject({ code: 2, stderr: expect.stringContaining("REMIT_MCP_URL") });
  const garbled = await run({ REMIT_MCP_URL: "http://127.0.0.1:1/mcp", REMIT_TOKEN: "t0ken", REMIT_WORK_ITEM: "{" });
  expect(garbled).toMatchObject({ code: 2, stderr: expect.stringContaining("REMIT_WORK_ITEM") });
  const alone = await run({ REMIT_MCP_URL: "http://127.0.0.1:1/mcp", REMIT_TOKEN: "t0ken", REMIT_WORK_ITEM: workItem("BIL-1001") });
  expect(alone).toMatchObject({ code: 1, stderr: expect.stringMatching(/^BIL-1001: Remit does not let us in at http.*\n$/) });
});
