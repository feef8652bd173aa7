import { upstreamSpecSchema } from "@remit/contract";
import type { RegisteredTool, Registry } from "@remit/core";
import { buildRegistry } from "@remit/core/testing";
import { expect, test } from "vitest";
import { openSessionHttp, openStatelessHttp } from "../upstream/fixtures/http-servers.ts";
import { openFleet } from "../upstream/upstreams.testing.ts";
import { actionId, openGateway, post, postStateless, scriptedPath, testCaller } from "./gateway.testing.ts";

const token = "eyJhbGciOiJFUzI1NiJ9.caller-canary.signature";
const cookie = "remit_session=session-canary";

test("[CTL-23] no upstream ever sees the caller's token, or any other of its headers", async () => {
  await using stateless = await openStatelessHttp();
  await using sessions = await openSessionHttp();
  const specs = [
    ["web", stateless.url],
    ["web-old", sessions.url],
  ].map(([name, url]) => upstreamSpecSchema.parse({ kind: "upstream", name, owner: "ada", transport: { type: "http", url } }));
  const fleet = openFleet(specs);
  const tools = new Map<string, RegisteredTool>();
  for (const { name: upstream } of specs) {
    const offered = await fleet.offered(upstream);
    const pins = offered.map(({ name, description, inputSchema, outputSchema }) => ({
      name,
      upstream,
      pin: { description, inputSchema, outputSchema, digest: name },
    }));
    for (const [name, tool] of buildRegistry({ tools: pins }).tools) if (tool.spec.upstream === upstream) tools.set(name, tool);
  }
  const registry: Registry = { ...buildRegistry(), upstreams: new Map(specs.map((spec) => [spec.name, spec])), tools };
  const { path } = scriptedPath(registry, async (attempt) => {
    const [upstream = "", tool = ""] = attempt.tool.split("__");
    const result = await fleet.call({ upstream, tool, arguments: attempt.arguments as never, timeoutMs: 50_000, signal: attempt.signal });
    return { actionId, type: "succeeded", result };
  });
  await using gateway = await openGateway(registry, path, { callers: { verify: async () => testCaller } });

  const secrets = { authorization: `Bearer ${token}`, cookie, "x-api-key": "key-canary", "proxy-authorization": "Basic proxy-canary" };
  const text = { text: "hello" };
  for (const upstream of ["web", "web-old"]) {
    const call = { name: `${upstream}__echo`, arguments: text };
    const modern = await postStateless(`${gateway.url}/mcp`, "tools/call", call, { ...secrets, "mcp-param-text": "hello" });
    expect(modern.json.result).toMatchObject({ content: [{ text: "hello" }] });
    const old = await post(`${gateway.url}/mcp`, { jsonrpc: "2.0", id: 1, method: "tools/call", params: call }, secrets);
    expect(old.json.result).toMatchObject({ content: [{ text: "hello" }] });
  }
  expect(stateless.seen.length).toBeGreaterThan(2);
  expect(sessions.seen.length).toBeGreaterThan(2);
  const seen = JSON.stringify([...stateless.seen, ...sessions.seen]);
  for (const secret of ["caller-canary", "session-canary", "key-canary", "proxy-canary", "authorization", "cookie"])
    expect(seen).not.toContain(secret);
  await fleet.stop();
});
