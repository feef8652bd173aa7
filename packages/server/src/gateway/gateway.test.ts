import { buildRegistry } from "@remit/core/testing";
import type { ActionOutcome } from "@remit/contract";
import { describe, expect, test } from "vitest";
import { actionId, openGateway, post, postStateless, scriptedPath, statelessHeaders, statelessMeta } from "./gateway.testing.ts";

const registry = buildRegistry();
const succeeded: ActionOutcome = { actionId, type: "succeeded", result: { content: [{ type: "text", text: "ok" }] } };
const call = (params: object, id: unknown = 1) => ({ jsonrpc: "2.0", id, method: "tools/call", params });

async function start(outcome: ActionOutcome = succeeded) {
  const { path, attempts } = scriptedPath(registry, () => outcome);
  const gateway = await openGateway(registry, path);
  return { ...gateway, attempts, mcp: `${gateway.url}/mcp` };
}

describe("[CTL-18][CTL-19] malformed messages are refused, and nothing is attempted", () => {
  const deep = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments":${'{"a":'.repeat(70)}1${"}".repeat(70)}}}`;
  test.each<[string, unknown, number, number]>([
    ["no JSON", '{"jsonrpc":"2.0",', 400, -32700],
    ["nothing", "", 400, -32600],
    ["invalid UTF-8", Uint8Array.from([0x7b, 0x22, 0xc3, 0x28, 0x22, 0x7d]), 400, -32700],
    ["a byte order mark", "\uFEFF{}", 400, -32700],
    ["a batch", [call({ name: "x" })], 400, -32600],
    ["an empty batch", [], 400, -32600],
    ["a bare value", "42", 400, -32600],
    ["null", "null", 400, -32600],
    ["another JSON-RPC", { jsonrpc: "1.0", id: 1, method: "ping" }, 400, -32600],
    ["no version", { id: 1, method: "ping" }, 400, -32600],
    ["a duplicate member", '{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}', 400, -32700],
    ["a duplicate member in disguise", '{"jsonrpc":"2.0","id":1,"method":"ping","m\\u0065thod":"tools/call"}', 400, -32700],
    ["a duplicate argument", '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments":{"a":1,"a":2}}}', 400, -32700],
    ["a prototype", '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments":{"__proto__":{"a":1}}}}', 400, -32700],
    ["too deep", deep, 400, -32700],
    ["an id that is null", call({ name: "x" }, null), 400, -32600],
    ["an id that is an object", call({ name: "x" }, {}), 400, -32600],
    ["an id that is a fraction", call({ name: "x" }, 1.5), 400, -32600],
    ["an id beyond what numbers hold", '{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}', 400, -32600],
    ["an endless id", call({ name: "x" }, "i".repeat(1000)), 400, -32600],
    ["a method that is no text", { jsonrpc: "2.0", id: 1, method: 5 }, 400, -32600],
    ["no method", { jsonrpc: "2.0", id: 1 }, 400, -32600],
    ["params that are an array", { jsonrpc: "2.0", id: 1, method: "tools/call", params: ["x"] }, 400, -32600],
    ["_meta that is text", { jsonrpc: "2.0", id: 1, method: "ping", params: { _meta: "x" } }, 400, -32600],
    ["an unknown member", { jsonrpc: "2.0", id: 1, method: "ping", extra: true }, 400, -32600],
    ["a response", { jsonrpc: "2.0", id: 1, result: {} }, 400, -32600],
    ["a request that is a response too", { ...call({ name: "x" }), result: {} }, 400, -32600],
    ["a tool without a name", call({}), 200, -32602],
    ["a tool whose name is a number", call({ name: 5 }), 200, -32602],
    ["an idempotency key that is no text", call({ name: "x", _meta: { "remit/idempotency-key": 5 } }), 200, -32602],
    ["10 MB", call({ name: "x", arguments: { text: "x".repeat(10_000_000) } }), 413, -32600],
  ])("%s", async (_name, body, status, code) => {
    await using gateway = await start();
    const { status: got, json } = await post(gateway.mcp, body);
    expect([got, json.error.code]).toEqual([status, code]);
    expect(json.error.message).not.toBe("");
    expect(gateway.attempts).toEqual([]);
  });

  test("a body that is not called JSON is refused", async () => {
    await using gateway = await start();
    expect((await post(gateway.mcp, call({ name: "x" }), { "content-type": "text/plain" })).status).toBe(415);
  });

  test("a call that has been answered is not called off when its connection ends", async () => {
    const gateway = await start();
    await post(gateway.mcp, call({ name: "helpdesk__tickets.read" }));
    await gateway[Symbol.asyncDispose]();
    expect(gateway.attempts.map(({ signal }) => signal?.aborted)).toEqual([false]);
  });

  test("[CTL-19] arguments of a wrong shape are an attempt: the path refuses and records it", async () => {
    await using gateway = await start({ actionId, type: "denied", code: "invalid-arguments", reason: "Not an object", policies: [] });
    const { json } = await post(gateway.mcp, call({ name: "helpdesk__tickets.read", arguments: ["x"] }));
    expect(gateway.attempts[0]).toMatchObject({ tool: "helpdesk__tickets.read", arguments: ["x"] });
    expect(json.result).toMatchObject({ isError: true });
  });
});

describe("[CTL-18] who may come in", () => {
  test.each([
    ["no token", {}, 401, /^Bearer resource_metadata="http:\/\/localhost:4680\/\.well-known\/oauth-protected-resource\/mcp", scope="mcp"$/],
    ["an ended token", { authorization: "Bearer old" }, 401, /error="invalid_token", error_description="The token \?has\? ended"$/],
    ["another scheme", { authorization: "Basic YTpi" }, 401, /invalid_token/],
    ["a token that is none", { authorization: "Bearer a b" }, 401, /Send an access token/],
    ["a token that is too long", { authorization: `Bearer ${"a".repeat(8_193)}` }, 401, /Send an access token/],
    ["a token of a narrower scope", { authorization: "Bearer narrow" }, 403, /error="insufficient_scope"/],
    ["a suspended agent", { authorization: "Bearer suspended" }, 403, null],
  ])("%s", async (_name, headers, status, challenge) => {
    await using gateway = await start();
    const response = await fetch(gateway.mcp, { method: "POST", headers: { "content-type": "application/json", ...headers }, body: "{" });
    expect(response.status).toBe(status);
    const sent = response.headers.get("www-authenticate");
    if (challenge === null) expect(sent).toBeNull();
    else expect(sent).toMatch(challenge);
    expect(await response.json()).toMatchObject({ jsonrpc: "2.0", id: null, error: { code: expect.any(Number) as number } });
  });

  test("a token in the address is refused", async () => {
    await using gateway = await start();
    expect((await post(`${gateway.mcp}?access_token=good`, call({ name: "x" }))).status).toBe(400);
  });

  test("a page of another site is refused", async () => {
    await using gateway = await start();
    expect((await post(gateway.mcp, call({ name: "x" }), { origin: "https://evil.example" })).status).toBe(403);
  });

  test.each([
    ["GET", 405],
    ["DELETE", 400],
  ])("%s without a session is refused", async (method, status) => {
    await using gateway = await start();
    const response = await fetch(gateway.mcp, { method, headers: { authorization: "Bearer good" } });
    expect(response.status).toBe(status);
  });

  test("an upstream that is not registered is not found", async () => {
    await using gateway = await start();
    expect((await post(`${gateway.mcp}/nothing`, { jsonrpc: "2.0", id: 1, method: "tools/list" })).status).toBe(404);
  });
});

describe("[CTL-39] the handshake revisions", () => {
  test.each([
    ["2025-06-18", "2025-06-18"],
    ["2025-11-25", "2025-11-25"],
    ["2024-11-05", "2025-11-25"],
    ["1999-01-01", "2025-11-25"],
  ])("a client of %s is answered in %s", async (asked, answered) => {
    await using gateway = await start();
    const params = { protocolVersion: asked, capabilities: {}, clientInfo: { name: "c", version: "1" } };
    const { status, json, headers } = await post(gateway.mcp, { jsonrpc: "2.0", id: "init", method: "initialize", params });
    expect(status).toBe(200);
    expect(json).toMatchObject({
      id: "init",
      result: { protocolVersion: answered, capabilities: { tools: {} }, serverInfo: { name: "remit" } },
    });
    // What nobody has granted is not promised.
    expect(Object.keys(json.result["capabilities"] as object)).toEqual(["tools", "logging"]);
    expect(headers.get("mcp-session-id")).toMatch(/^[\x21-\x7e]+$/);
  });

  test.each(["notifications/initialized", "notifications/cancelled", "notifications/roots/list_changed"])("%s is taken", async (method) => {
    await using gateway = await start();
    expect(await post(gateway.mcp, { jsonrpc: "2.0", method })).toMatchObject({ status: 202, json: null });
  });

  test("ping", async () => {
    await using gateway = await start();
    expect((await post(gateway.mcp, { jsonrpc: "2.0", id: 0, method: "ping" })).json).toEqual({ jsonrpc: "2.0", id: 0, result: {} });
  });

  test.each(["tasks/list", "server/discover", "subscriptions/listen", "constructor"])("%s is no method here", async (method) => {
    await using gateway = await start();
    const { status, json } = await post(gateway.mcp, { jsonrpc: "2.0", id: 1, method }, { "mcp-protocol-version": "2025-11-25" });
    expect([status, json.error.code]).toEqual([200, -32601]);
  });

  test("a version that nobody speaks is refused with those that we speak", async () => {
    await using gateway = await start();
    const { status, json } = await post(gateway.mcp, { jsonrpc: "2.0", id: 1, method: "ping" }, { "mcp-protocol-version": "2030-01-01" });
    expect([status, json.error.code]).toEqual([400, -32022]);
    expect(json.error.data).toEqual({ supported: ["2026-07-28", "2025-11-25", "2025-06-18"], requested: "2030-01-01" });
  });

  test("results carry nothing of the stateless revision", async () => {
    await using gateway = await start();
    const { json } = await post(gateway.mcp, call({ name: "helpdesk__tickets.read" }));
    expect(json.result).toEqual({ content: [{ type: "text", text: "ok" }], _meta: { "remit/action": actionId } });
  });
});

describe("[CTL-39] the stateless revision", () => {
  test("server/discover says what there is", async () => {
    await using gateway = await start();
    const { status, json } = await postStateless(gateway.mcp, "server/discover");
    expect(status).toBe(200);
    expect(json.result).toMatchObject({
      resultType: "complete",
      supportedVersions: ["2026-07-28", "2025-11-25", "2025-06-18"],
      capabilities: { tools: {} },
      cacheScope: "private",
      _meta: { "io.modelcontextprotocol/serverInfo": { name: "remit" } },
    });
  });

  test("lists are private and short-lived, results are typed", async () => {
    await using gateway = await start();
    const list = await postStateless(gateway.mcp, "tools/list");
    expect(list.json.result).toMatchObject({ resultType: "complete", cacheScope: "private", ttlMs: expect.any(Number) as number });
    const { json } = await postStateless(gateway.mcp, "tools/call", { name: "helpdesk__tickets.read", arguments: { id: "1" } });
    expect(json.result).toMatchObject({
      resultType: "complete",
      _meta: { "remit/action": actionId, "io.modelcontextprotocol/serverInfo": { name: "remit" } },
    });
  });

  test.each(["initialize", "ping", "logging/setLevel", "resources/subscribe", "constructor"])(
    "%s is no method here: 404",
    async (method) => {
      await using gateway = await start();
      const { status, json } = await postStateless(gateway.mcp, method);
      expect([status, json.error.code, json.id]).toEqual([404, -32601, 7]);
    },
  );

  const params = { name: "helpdesk__tickets.read", arguments: {}, _meta: statelessMeta };
  const right = { ...statelessHeaders, "mcp-method": "tools/call", "mcp-name": "helpdesk__tickets.read" };
  const without = (name: keyof typeof right) => Object.fromEntries(Object.entries(right).filter(([key]) => key !== name));
  test.each<[string, object, Record<string, string>, number]>([
    ["no version header", params, without("mcp-protocol-version"), -32020],
    ["another version in the header", params, { ...right, "mcp-protocol-version": "2025-11-25" }, -32020],
    ["no method header", params, without("mcp-method"), -32020],
    ["another method in the header", params, { ...right, "mcp-method": "tools/list" }, -32020],
    ["another case of the method", params, { ...right, "mcp-method": "Tools/Call" }, -32020],
    ["no name header", params, without("mcp-name"), -32020],
    ["another name in the header", params, { ...right, "mcp-name": "helpdesk__send_email" }, -32020],
    ["a name in broken Base64", params, { ...right, "mcp-name": "=?base64?!!!?=" }, -32020],
    ["no capabilities", { ...params, _meta: { "io.modelcontextprotocol/protocolVersion": "2026-07-28" } }, right, -32602],
    ["a version that is no text", { ...params, _meta: { ...statelessMeta, "io.modelcontextprotocol/protocolVersion": 5 } }, right, -32602],
    ["a body that does not claim what the header names", { ...params, _meta: {} }, right, -32602],
    [
      "a version that nobody speaks",
      { ...params, _meta: { ...statelessMeta, "io.modelcontextprotocol/protocolVersion": "2030-01-01" } },
      { ...right, "mcp-protocol-version": "2030-01-01" },
      -32022,
    ],
  ])("%s is refused", async (_name, params, headers, code) => {
    await using gateway = await start();
    const { status, json } = await post(gateway.mcp, call(params), headers);
    expect([status, json.error.code, json.id]).toEqual([400, code, 1]);
    expect(gateway.attempts).toEqual([]);
  });

  test("a name in Base64 is decoded before it is compared", async () => {
    await using gateway = await start();
    const encoded = `=?base64?${Buffer.from("helpdesk__tickets.read").toString("base64")}?=`;
    expect((await post(gateway.mcp, call(params), { ...right, "mcp-name": encoded })).status).toBe(200);
  });

  test("arguments that the tool mirrors into headers must be mirrored truly", async () => {
    const inputSchema = { type: "object", properties: { region: { type: "string", "x-mcp-header": "Region" } } };
    const mirrored = buildRegistry({
      tools: [{ name: "tickets.read", pin: { description: "", inputSchema, outputSchema: null, digest: "d" } }],
    });
    const { path, attempts } = scriptedPath(mirrored, () => succeeded);
    await using gateway = await openGateway(mirrored, path);
    const send = (args: Record<string, string>, headers: Record<string, string>) =>
      postStateless(`${gateway.url}/mcp`, "tools/call", { name: "helpdesk__tickets.read", arguments: args }, headers);
    expect((await send({ region: "eu" }, { "mcp-param-region": "us" })).json.error.code).toBe(-32020);
    expect((await send({ region: "eu" }, {})).json.error.code).toBe(-32020);
    expect((await send({}, { "mcp-param-region": "us" })).json.error.code).toBe(-32020);
    expect(attempts).toEqual([]);
    expect((await send({ region: "eu" }, { "mcp-param-region": "eu" })).status).toBe(200);
    expect((await send({ region: "ü" }, { "mcp-param-region": "=?base64?w7w=?=" })).status).toBe(200);
  });
});

describe("[CTL-18] listing", () => {
  type Listed = { name: string; description: string; annotations: object; inputSchema: object; _meta: object };
  const list = (url: string, params = {}) => post(url, { jsonrpc: "2.0", id: 1, method: "tools/list", params });

  test("shows exactly what the path lists, with pinned words and our own annotations", async () => {
    await using gateway = await start();
    const tools = (await list(gateway.mcp)).json.result["tools"] as unknown as Listed[];
    expect(tools.map((tool) => tool.name)).toEqual([
      "helpdesk__refund.create",
      "helpdesk__send_email",
      "helpdesk__tickets.draft_reply",
      "helpdesk__tickets.read",
    ]);
    expect(tools[3]).toEqual({
      name: "helpdesk__tickets.read",
      description: "A tool",
      inputSchema: registry.tools.get("helpdesk__tickets.read")?.pin?.inputSchema,
      annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true },
      _meta: { "remit/effect": "read" },
    });
    expect(tools[1]).toMatchObject({
      description: "A tool\n\n[Remit] Waits for support-lead.",
      annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false },
      _meta: { "remit/effect": "write", "remit/note": "Waits for support-lead." },
    });
  });

  test("at the address of one upstream, under its own names", async () => {
    await using gateway = await start();
    const tools = (await list(`${gateway.mcp}/helpdesk`)).json.result["tools"] as unknown as Listed[];
    expect(tools.map((tool) => tool.name)).toContain("tickets.read");
    await post(`${gateway.mcp}/helpdesk`, call({ name: "tickets.read", arguments: {} }));
    expect(gateway.attempts[0]?.tool).toBe("helpdesk__tickets.read");
  });

  test("in pages, all of which together are the list", async () => {
    const { path } = scriptedPath(registry, () => succeeded);
    await using gateway = await openGateway(registry, path, { pageSize: 3 });
    const first = (await list(`${gateway.url}/mcp`)).json.result;
    expect(first["tools"]).toHaveLength(3);
    const second = (await list(`${gateway.url}/mcp`, { cursor: first["nextCursor"] })).json.result;
    expect(second["tools"]).toMatchObject([{ name: "helpdesk__tickets.read" }]);
    expect(second).not.toHaveProperty("nextCursor");
  });

  test.each([5, "bogus", "!!!", null])("the cursor %o is refused", async (cursor) => {
    await using gateway = await start();
    expect((await list(gateway.mcp, { cursor })).json.error.code).toBe(-32602);
  });
});

describe("[CTL-18] calling", () => {
  test("passes on the arguments, the idempotency key and the trace", async () => {
    await using gateway = await start();
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01";
    await post(
      gateway.mcp,
      call({ name: "helpdesk__tickets.read", arguments: { id: "1" }, _meta: { traceparent, "remit/idempotency-key": "k" } }),
    );
    await post(gateway.mcp, call({ name: "helpdesk__tickets.read" }), { traceparent });
    await post(gateway.mcp, call({ name: "helpdesk__tickets.read" }), { traceparent: "00-nonsense" });
    expect(gateway.attempts).toMatchObject([
      { arguments: { id: "1" }, idempotencyKey: "k", traceparent },
      { arguments: {}, traceparent },
      {},
    ]);
    expect(gateway.attempts[2]).not.toHaveProperty("traceparent");
  });

  test("[CTL-21] a client that goes away cancels its call", async () => {
    let aborted: () => void = () => undefined;
    const seen = new Promise<void>((resolve) => (aborted = resolve));
    let begun: () => void = () => undefined;
    const running = new Promise<void>((resolve) => (begun = resolve));
    const { path } = scriptedPath(registry, async (attempt) => {
      begun();
      await new Promise<void>((resolve) => attempt.signal.addEventListener("abort", () => resolve()));
      aborted();
      return { actionId, type: "failed", code: "cancelled", reason: "Gone" };
    });
    await using gateway = await openGateway(registry, path);
    const going = new AbortController();
    const request = fetch(`${gateway.url}/mcp`, {
      method: "POST",
      headers: { authorization: "Bearer good", "content-type": "application/json" },
      body: JSON.stringify(call({ name: "helpdesk__tickets.read" })),
      signal: going.signal,
    }).catch(() => undefined);
    await running;
    going.abort();
    await seen;
    await request;
  });

  test("a client of the handshake revisions cancels by the id of its request", async () => {
    let begun: () => void = () => undefined;
    const running = new Promise<void>((resolve) => (begun = resolve));
    const { path } = scriptedPath(registry, async (attempt) => {
      begun();
      await new Promise<void>((resolve) => attempt.signal.addEventListener("abort", () => resolve()));
      return { actionId, type: "failed", code: "cancelled", reason: "The client cancelled" };
    });
    await using gateway = await openGateway(registry, path);
    const request = post(`${gateway.url}/mcp`, call({ name: "helpdesk__tickets.read" }, "mine"));
    await running;
    const cancel = (requestId: unknown) =>
      post(`${gateway.url}/mcp`, { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId } });
    await cancel("another");
    await cancel({});
    await cancel("mine");
    expect((await request).json.result).toMatchObject({ isError: true, _meta: { "remit/outcome": { code: "cancelled" } } });
  });

  test("state that cannot be vouched for is a server error, with the id of the request", async () => {
    const { path } = scriptedPath(registry, () => succeeded);
    const { RemitError } = await import("@remit/contract");
    const stale = {
      ...path,
      list: () => {
        throw new RemitError("control-state-stale", "Stale");
      },
    };
    await using gateway = await openGateway(registry, stale);
    const { status, json } = await post(`${gateway.url}/mcp`, { jsonrpc: "2.0", id: 5, method: "tools/list" });
    expect([status, json.id, json.error.data["code"]]).toEqual([503, 5, "control-state-stale"]);
  });
});
