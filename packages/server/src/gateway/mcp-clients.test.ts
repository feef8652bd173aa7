import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { Client as LegacyClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as LegacyTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Id, UpstreamSpec } from "@remit/contract";
import { upstreamSpecSchema } from "@remit/contract";
import type { RegisteredTool, Registry } from "@remit/core";
import { buildRegistry } from "@remit/core/testing";
import { describe, expect, test } from "vitest";
import { openSessionHttp, openStatelessHttp } from "../upstream/fixtures/http-servers.ts";
import type { OfferedTool } from "../upstream/upstreams.ts";
import { fixtureSpec, openFleet } from "../upstream/upstreams.testing.ts";
import { actionId, openGateway, scriptedPath } from "./gateway.testing.ts";

type AnyClient = {
  listTools(): Promise<{ tools: { name: string }[] }>;
  callTool(params: { name: string; arguments?: Record<string, unknown> }): Promise<Record<string, unknown>>;
  close(): Promise<void>;
};

const requestInit = { headers: { authorization: "Bearer good" } };
const info = { name: "test-client", version: "1.0.0" };

/** Official clients, each as its users set it up. */
const clients: [string, (url: URL) => Promise<AnyClient>][] = [
  [
    "the SDK of the handshake",
    async (url) => {
      const client = new LegacyClient(info);
      const transport = new LegacyTransport(url, { requestInit });
      await client.connect(transport);
      return client;
    },
  ],
  ["the SDK of both revisions, shaking hands", (url) => connect(url, "legacy")],
  ["the SDK of both revisions, asking", (url) => connect(url, "auto")],
  ["the SDK of both revisions, stateless only", (url) => connect(url, { pin: "2026-07-28" })],
];

async function connect(url: URL, mode: "legacy" | "auto" | { pin: string }): Promise<AnyClient> {
  const client = new Client(info, { versionNegotiation: { mode } });
  await client.connect(new StreamableHTTPClientTransport(url, { requestInit }));
  expect(client.getProtocolEra()).toBe(mode === "legacy" ? "legacy" : "modern");
  return client;
}

/** A registry in which every tool that these upstreams offer is accepted, and a path that lets everything through to them. */
async function openRelay(specs: UpstreamSpec[]) {
  const fleet = openFleet(specs);
  const tools = new Map<string, RegisteredTool>();
  for (const spec of specs) {
    const offered = await fleet.offered(spec.name);
    const alone = buildRegistry({ tools: offered.map((tool) => ({ name: tool.name, upstream: spec.name, pin: pinOf(tool) })) });
    for (const [name, tool] of alone.tools) if (tool.spec.upstream === spec.name) tools.set(name, tool);
  }
  const registry: Registry = { ...buildRegistry(), upstreams: new Map(specs.map((spec) => [spec.name, spec])), tools };
  const { path } = scriptedPath(registry, async (attempt) => {
    const [upstream = "", tool = ""] = attempt.tool.split("__");
    if (attempt.idempotencyKey === "wait" || tool === "fail") return waiting;
    const result = await fleet.call({ upstream, tool, arguments: attempt.arguments as never, timeoutMs: 50_000, signal: attempt.signal });
    return { actionId, type: "succeeded", result };
  });
  const gateway = await openGateway(registry, path);
  return {
    registry,
    mcp: new URL(`${gateway.url}/mcp`),
    one: (upstream: string) => new URL(`${gateway.url}/mcp/${upstream}`),
    async [Symbol.asyncDispose]() {
      await gateway[Symbol.asyncDispose]();
      await fleet.stop();
    },
  };
}

const waiting = {
  actionId,
  type: "waiting" as const,
  approvalId: `apr_${"2".repeat(32)}` as Id<"approval">,
  link: "http://localhost:4680/approvals/1",
  expiresAt: "2026-11-21T12:00:00.000Z",
  teams: ["support-lead"],
  reason: "It must be seen",
};

const pinOf = (offered: OfferedTool) => ({
  description: offered.description,
  inputSchema: offered.inputSchema,
  outputSchema: offered.outputSchema,
  digest: offered.name,
});

const httpSpec = (name: string, url: string): UpstreamSpec =>
  upstreamSpecSchema.parse({ kind: "upstream", name, owner: "ada", transport: { type: "http", url } });

describe("[CTL-39][CTL-41][RUN-28] every client reaches every upstream, whatever revisions they speak", () => {
  test.each(clients)("%s", async (_name, open) => {
    await using stateless = await openStatelessHttp();
    await using sessions = await openSessionHttp();
    await using relay = await openRelay([
      fixtureSpec("both", "fixture-server"),
      fixtureSpec("old", "legacy-server"),
      httpSpec("web", stateless.url),
      httpSpec("web-old", sessions.url),
    ]);
    const client = await open(relay.mcp);
    const { tools } = await client.listTools();
    expect(tools.map((tool) => tool.name)).toEqual([...relay.registry.tools.keys()].sort());
    expect(tools.length).toBeGreaterThan(12);
    for (const upstream of ["both", "old", "web", "web-old"]) {
      const result = await client.callTool({ name: `${upstream}__echo`, arguments: { text: `hello ${upstream}` } });
      expect(result).toMatchObject({ content: [{ type: "text", text: `hello ${upstream}` }], _meta: { "remit/action": actionId } });
    }
    const binary = await client.callTool({ name: "both__binary" });
    expect(binary).toMatchObject({
      content: [{ type: "image", mimeType: "image/png" }, { type: "resource" }, { type: "resource_link" }],
      _meta: { "example.com/kept": { deep: [1, 2, 3] } },
    });
    expect(await client.callTool({ name: "both__structured" })).toMatchObject({ structuredContent: { total: 3 } });
    expect(await client.callTool({ name: "both__fail" })).toMatchObject({
      isError: true,
      structuredContent: { status: "approval-pending" },
    });
    await client.close();

    const single = await open(relay.one("old"));
    expect((await single.listTools()).tools.map((tool) => tool.name)).toEqual(["echo"]);
    expect(await single.callTool({ name: "echo", arguments: { text: "own name" } })).toMatchObject({ content: [{ text: "own name" }] });
    await single.close();
  });
});

describe("[CTL-39][RUN-28] a strict client takes what is waiting for a tool with an output schema", () => {
  test.each(clients)("%s", async (_name, open) => {
    const outputSchema = { type: "object", properties: { total: { type: "number" } }, required: ["total"] };
    const registry = buildRegistry({
      tools: [{ name: "tickets.read", pin: { description: "", inputSchema: { type: "object" }, outputSchema, digest: "d" } }],
    });
    const { path } = scriptedPath(registry, () => waiting);
    await using gateway = await openGateway(registry, path);
    const client = await open(new URL(`${gateway.url}/mcp`));
    await client.listTools();
    const result = await client.callTool({ name: "helpdesk__tickets.read" });
    expect(result).toMatchObject({
      isError: true,
      _meta: { "remit/outcome": { status: "approval-pending", approvalId: waiting.approvalId } },
    });
    await client.close();
  });
});
