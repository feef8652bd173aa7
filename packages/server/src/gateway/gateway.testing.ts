import { createSecretKey } from "node:crypto";
import type { ActionOutcome, Caller, Id, JsonObject } from "@remit/contract";
import { RemitError } from "@remit/contract";
import type { Registry } from "@remit/core";
import type { ActionPath, Attempt } from "../action/action-path.ts";
import { createTestApp, testDoorkeeper } from "../http/http-app.testing.ts";
import type { EventStream } from "./event-stream.ts";
import type { GatewayRoutesDeps } from "./gateway.routes.ts";
import { registerGateway } from "./gateway.routes.ts";
import { createRequestStates } from "./request-state.ts";

export const testCaller: Caller = {
  agent: "support-agent",
  version: "0".repeat(64),
  accountable: "ada",
  environment: "staging",
  policy: "customer_support_tier1_v3",
  run: null,
  tokenId: "tok_1",
  expiresAt: Number.MAX_SAFE_INTEGER,
};

export const actionId = `act_${"1".repeat(32)}` as Id<"action">;

/** A path that lists every tool of the registry and answers every attempt as it is told. */
export function scriptedPath(registry: Registry, act: (attempt: Attempt) => ActionOutcome | Promise<ActionOutcome>) {
  const attempts: Attempt[] = [];
  const path: ActionPath = {
    list: () =>
      [...registry.tools.values()].map((tool) => ({ tool, note: tool.spec.name === "send_email" ? "Waits for support-lead." : null })),
    couldAct: (_caller, tool) => registry.tools.has(tool),
    act: async (_caller, attempt) => {
      attempts.push(attempt);
      return await act(attempt);
    },
  };
  return { path, attempts };
}

/** Upstreams that keep no lists and tell nothing. */
export const quietUpstreams: GatewayRoutesDeps["upstreams"] = {
  list: async () => null,
  capabilities: () => null,
  onNotice: () => () => undefined,
  watch: async () => () => undefined,
  rootsChanged: () => undefined,
  endLane: () => undefined,
};

export function quietDeps(): Pick<GatewayRoutesDeps, "upstreams" | "states" | "now"> {
  const now = (): Date => new Date();
  return { upstreams: quietUpstreams, states: createRequestStates({ key: createSecretKey(Buffer.alloc(32, 7)), now }), now };
}

/** A client that takes no stream. */
export const noStream: EventStream = {
  send: () => false,
  open: () => undefined,
  isOpen: () => false,
  end: () => undefined,
  onClosed: () => undefined,
  keepBy: () => undefined,
  outlives: () => false,
};

/** The gateway on a real app at a real address. The token `good` is everybody's. */
export async function openGateway(registry: Registry, path: ActionPath, more: Partial<GatewayRoutesDeps> = {}) {
  const app = await createTestApp({ doorkeeper: testDoorkeeper() });
  registerGateway(app, {
    path,
    registry: { current: () => registry },
    ...quietDeps(),
    publicUrl: new URL("http://localhost:4680"),
    callers: {
      verify: async (token, resource) => {
        if (resource !== "http://localhost:4680/mcp") throw new Error(`asked for the resource ${resource}`);
        if (token === "suspended") throw new RemitError("agent-suspended", "The agent is suspended");
        if (token === "narrow") throw new RemitError("forbidden", "The token's scope does not reach the gateway");
        if (token !== "good") throw new RemitError("token-expired", 'The token "has" ended');
        return testCaller;
      },
    },
    ...more,
  });
  const url = await app.listen({ port: 0, host: "127.0.0.1" });
  return {
    app,
    url,
    async [Symbol.asyncDispose]() {
      const closing = app.close();
      setTimeout(() => app.server.closeAllConnections(), 200).unref();
      await closing;
    },
  };
}

export const statelessHeaders = { "mcp-protocol-version": "2026-07-28" };
export const statelessMeta: JsonObject = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientCapabilities": {},
};

/** Posts a body as it is. */
export async function post(url: string, body: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(url, {
    method: "POST",
    headers: {
      authorization: "Bearer good",
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      ...headers,
    },
    body: typeof body === "string" || body instanceof Uint8Array ? (body as string) : JSON.stringify(body),
  });
  const text = await response.text();
  const json = (text === "" ? null : JSON.parse(text)) as {
    id: unknown;
    result: JsonObject;
    error: { code: number; message: string; data: JsonObject };
  };
  return { status: response.status, headers: response.headers, json };
}

/** A request of the stateless revision, with the headers that go with it. */
export function postStateless(url: string, method: string, params: JsonObject = {}, headers: Record<string, string> = {}) {
  const name = typeof params["name"] === "string" ? { "mcp-name": params["name"] } : {};
  const body = {
    jsonrpc: "2.0",
    id: 7,
    method,
    params: { ...params, _meta: { ...statelessMeta, ...(params["_meta"] as object | undefined) } },
  };
  return post(url, body, { ...statelessHeaders, "mcp-method": method, ...name, ...headers });
}
