import { createSecretKey } from "node:crypto";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import type { ClientCapabilities } from "@modelcontextprotocol/client";
import type { ToolSpec, UpstreamSpec } from "@remit/contract";
import { operations, qualifiedToolName, upstreamSpecSchema } from "@remit/contract";
import { readOffer } from "@remit/core";
import type { ToolPin } from "@remit/core";
import type { PathOverrides, TestActionPath } from "../action/action-path.testing.ts";
import { everythingGranted, openTestActionPath } from "../action/action-path.testing.ts";
import { hashText } from "../registry/registry-hash.ts";
import { openFleet } from "../upstream/upstreams.testing.ts";
import type { GatewayRoutesDeps } from "./gateway.routes.ts";
import { openGateway } from "./gateway.testing.ts";
import type { RequestStates } from "./request-state.ts";
import { createRequestStates } from "./request-state.ts";

export type RelayOptions = {
  /** Operations that nobody has granted to the agent. */
  withhold?: readonly string[];
  policy?: string;
  more?: Partial<GatewayRoutesDeps>;
  path?: PathOverrides;
  /** How calls that wait are answered. */
  approvals?: (remit: TestActionPath, states: RequestStates) => NonNullable<GatewayRoutesDeps["approvals"]>;
};

export function httpUpstream(name: string, url: string, more: Partial<UpstreamSpec> = {}): UpstreamSpec {
  return upstreamSpecSchema.parse({ kind: "upstream", name, owner: "ada", transport: { type: "http", url }, ...more });
}

/** The gateway before a real action path and real upstreams. Everything that they offer is registered, and the agent is granted it. */
export async function openRelay(
  specs: UpstreamSpec[],
  { withhold = [], policy = everythingGranted, more = {}, path = {}, approvals }: RelayOptions = {},
) {
  const fleet = openFleet(specs);
  const tools: (Partial<ToolSpec> & { name: string; pin: ToolPin | null })[] = [];
  for (const spec of specs) {
    const offered = await fleet.offered(spec.name).catch(() => []);
    for (const offer of [...offered, ...operations.map((operation) => ({ ...operation, outputSchema: null }))]) {
      tools.push({ name: offer.name, upstream: spec.name, effect: "read", pin: readOffer(offer, hashText).offered });
    }
  }
  const granted = tools
    .filter(({ name }) => !withhold.includes(name))
    .map(({ name, upstream }) => qualifiedToolName(String(upstream), name));
  const remit = await openTestActionPath({
    upstreams: specs,
    tools,
    agents: [{ name: "support-agent", tools: granted }],
    policy,
    ...path,
  });
  remit.upstream.answer = (call) => fleet.call(call);
  const states = createRequestStates({ key: createSecretKey(Buffer.alloc(32, 7)), now: remit.deps.now });
  const gateway = await openGateway(remit.registry(), remit.path, {
    registry: { current: () => remit.registry() },
    upstreams: fleet,
    states,
    now: remit.deps.now,
    withdraw: (id) => remit.approvals.withdrawRequest(id, { reason: "Nobody waits for the answer any more.", actor: "service:remit" }),
    callers: {
      verify: async (token) => ({
        ...remit.caller,
        agent: token === "other" ? "other-agent" : remit.caller.agent,
        expiresAt: Number.MAX_SAFE_INTEGER,
      }),
    },
    ...(approvals === undefined ? {} : { approvals: approvals(remit, states) }),
    ...more,
  });
  return {
    remit,
    fleet,
    url: gateway.url,
    async [Symbol.asyncDispose]() {
      await gateway[Symbol.asyncDispose]();
      await fleet[Symbol.asyncDispose]();
      await remit[Symbol.asyncDispose]();
    },
  };
}

export type Answers = {
  elicit?: (params: Record<string, unknown>) => Record<string, unknown>;
  sample?: (params: Record<string, unknown>) => Record<string, unknown>;
  roots?: () => Record<string, unknown>;
};

/** An official client that answers what it is asked. */
export async function connectClient(url: string, era: "legacy" | "modern", answers: Answers = {}, token = "good"): Promise<Client> {
  const capabilities: ClientCapabilities = {
    ...(answers.elicit === undefined ? {} : { elicitation: {} }),
    ...(answers.sample === undefined ? {} : { sampling: {} }),
    ...(answers.roots === undefined ? {} : { roots: { listChanged: true } }),
  };
  const mode = era === "legacy" ? "legacy" : { pin: "2026-07-28" };
  const client = new Client({ name: "test-client", version: "1.0.0" }, { capabilities, versionNegotiation: { mode } });
  const { elicit, sample, roots } = answers;
  if (elicit !== undefined) client.setRequestHandler("elicitation/create", ({ params }) => elicit({ ...params }) as never);
  if (sample !== undefined) client.setRequestHandler("sampling/createMessage", ({ params }) => sample({ ...params }) as never);
  if (roots !== undefined) client.setRequestHandler("roots/list", () => roots() as never);
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers: { authorization: `Bearer ${token}` } } }));
  return client;
}

/** A client that fills in whatever it is asked for. */
export const helpful = (): Answers & { asked: string[] } => {
  const asked: string[] = [];
  return {
    asked,
    elicit(params) {
      const field = Object.keys((params["requestedSchema"] as { properties: object }).properties)[0] ?? "";
      asked.push(field);
      return { action: "accept", content: { [field]: field === "name" ? "Ada" : "Turin" } };
    },
    sample() {
      asked.push("model");
      return { role: "assistant", model: "test", content: { type: "text", text: "forty-two" } };
    },
    roots() {
      asked.push("roots");
      return { roots: [{ uri: "file:///work" }, { uri: "file:///home" }] };
    },
  };
};
