import { buildRegistry } from "@remit/core/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createGateway } from "./gateway.service.ts";
import { actionId, noStream, quietDeps, scriptedPath, statelessMeta, testCaller } from "./gateway.testing.ts";

const registry = buildRegistry();
const { path, attempts } = scriptedPath(registry, () => ({ actionId, type: "succeeded", result: { content: [] } }));
const gateway = createGateway({ ...quietDeps(), path, registry: { current: () => registry } });

const anyHeader = fc.option(fc.oneof(fc.constantFrom("2026-07-28", "2025-11-25", "tools/call", "helpdesk__tickets.read"), fc.string()), {
  nil: undefined,
});
const anyHeaders = fc.record({ "mcp-protocol-version": anyHeader, "mcp-method": anyHeader, "mcp-name": anyHeader, traceparent: anyHeader });
const anyMeta = fc.oneof(
  fc.constant(statelessMeta),
  fc.jsonValue(),
  fc.dictionary(fc.constantFrom(...Object.keys(statelessMeta), "x"), fc.jsonValue()),
);
const anyParams = fc.oneof(
  fc.jsonValue(),
  fc.record(
    {
      name: fc.oneof(fc.constant("helpdesk__tickets.read"), fc.jsonValue()),
      arguments: fc.jsonValue(),
      _meta: anyMeta,
      cursor: fc.jsonValue(),
    },
    { requiredKeys: [] },
  ),
);
const anyMethod = fc.oneof(
  fc.constantFrom("tools/call", "tools/list", "initialize", "server/discover", "ping", "notifications/cancelled", "constructor"),
  fc.jsonValue(),
);
const anyMessage = fc.oneof(
  fc.jsonValue(),
  fc.record(
    {
      jsonrpc: fc.oneof({ weight: 9, arbitrary: fc.constant("2.0") }, fc.jsonValue()),
      id: fc.oneof(fc.nat(), fc.string(), fc.jsonValue()),
      method: anyMethod,
      params: anyParams,
    },
    { requiredKeys: [] },
  ),
);

test("[CTL-01][CTL-18][CTL-19] whatever is sent, the answer is JSON-RPC with the request's own id, and only tools/call attempts anything", async () => {
  await fc.assert(
    fc.asyncProperty(anyMessage, anyHeaders, async (body, headers) => {
      const before = attempts.length;
      const answer = await gateway.answer({
        caller: testCaller,
        address: { upstream: null },
        body,
        headers,
        signal: new AbortController(),
        stream: noStream,
      });
      const sent = (typeof body === "object" && body !== null ? body : {}) as { id?: unknown; method?: unknown };
      if (answer.status === 202) expect([answer.body, sent.id]).toEqual([null, undefined]);
      else {
        const message = JSON.parse(answer.body ?? "") as {
          jsonrpc: string;
          id: unknown;
          result?: object;
          error?: { code: number; message: string };
        };
        expect(message.jsonrpc).toBe("2.0");
        expect((message.result === undefined) !== (message.error === undefined)).toBe(true);
        expect(message.id === null || message.id === sent.id).toBe(true);
        expect([200, 400, 404]).toContain(answer.status);
      }
      if (sent.method !== "tools/call") expect(attempts.length).toBe(before);
    }),
    { numRuns: 2_000 },
  );
});
