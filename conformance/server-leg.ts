import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import type { Lost } from "./compare.ts";
import { lostOnTheWay, passed } from "./compare.ts";
import { openEverythingServer } from "./fixture/everything-server.ts";
import type { Revision } from "./referee.ts";
import { judge, requiredScenarios, revisions } from "./referee.ts";
import type { Exchange } from "./through/forwarder.ts";
import { openForwarder } from "./through/forwarder.ts";
import { governedOperations, registryFiles } from "./through/registry.ts";
import type { Remit } from "./through/remit.ts";

export type ServerResult = {
  leg: "server";
  /** What the referee speaks. */
  revision: Revision;
  /** What the upstream behind the gateway speaks; another than the referee's where the gateway has to bridge. */
  upstream: Revision;
  required: number;
  direct: number;
  through: number;
  failedDirectly: string[];
  lost: Lost[];
  exchanges: Exchange[];
};

const upstreamNames: Record<Revision, string> = { "2025-11-25": "sessions", "2026-07-28": "stateless" };

/** The same fixture, directly and behind the gateway, whose upstream speaks the referee's revision or, where asked, the other one. */
export async function judgeServers(
  remit: Remit,
  pairs: readonly { revision: Revision; upstream: Revision }[],
  scenario: string | null = null,
): Promise<ServerResult[]> {
  await using both = await openEverythingServer();
  await using sessions = await openEverythingServer("sessions");
  await using stateless = await openEverythingServer("stateless");
  const tools = [...(await toolNames(both.url)), ...governedOperations];
  const upstreams = [
    { name: upstreamNames["2025-11-25"], url: sessions.url, tools },
    { name: upstreamNames["2026-07-28"], url: stateless.url, tools },
  ];
  await remit.post("/v1/registry/apply", { files: registryFiles(upstreams) });
  const direct = new Map(await Promise.all(revisions.map(async (revision) => [revision, await judge(revision, both, scenario)] as const)));
  const results: ServerResult[] = [];
  for (const { revision, upstream } of pairs) {
    await using forwarder = await openForwarder(new URL(`${remit.url}/mcp/${upstreamNames[upstream]}`), () =>
      remit.token(upstreamNames[upstream]),
    );
    const through = await judge(revision, forwarder, scenario);
    const straight = direct.get(revision) ?? new Map();
    const all = await requiredScenarios(revision, "server");
    const required = scenario === null ? all : all.filter((name) => name === scenario);
    const failedDirectly = required.filter((scenario) => !passed(straight, scenario));
    const lost = lostOnTheWay(straight, through, required);
    results.push({
      leg: "server",
      revision,
      upstream,
      required: required.length,
      direct: required.length - failedDirectly.length,
      through: required.length - failedDirectly.length - lost.length,
      failedDirectly,
      lost,
      exchanges: forwarder.exchanges,
    });
  }
  return results;
}

async function toolNames(url: string): Promise<string[]> {
  const client = new Client({ name: "conformance", version: "1.0.0" });
  await client.connect(new StreamableHTTPClientTransport(new URL(url)));
  const { tools } = await client.listTools();
  await client.close();
  return tools.map(({ name }) => name);
}
