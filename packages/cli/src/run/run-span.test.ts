import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { startRunSpan } from "./run-span.ts";

async function collector(hang: boolean) {
  const bodies: { path: string; body: string }[] = [];
  const http = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      bodies.push({ path: request.url ?? "", body: Buffer.concat(chunks).toString() });
      if (!hang) response.writeHead(200, { "content-type": "application/json" }).end("{}");
    });
  });
  await new Promise<void>((listening) => http.listen(0, "127.0.0.1", listening));
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    bodies,
    async [Symbol.asyncDispose]() {
      http.closeAllConnections();
      await new Promise((closed) => http.close(closed));
    },
  };
}

test("[OBS-02] a run's span carries the service's name and hangs below the trace that it was started in", async () => {
  await using otlp = await collector(false);
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: `${otlp.url}/`, TRACEPARENT: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" };
  const span = await startRunSpan(env, "support-agent", "triage");
  expect(span.traceparent).toMatch(/^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/);
  await span.end({ "remit.run.id": "run_1", "remit.actions": 3 }, null);
  expect(otlp.bodies).toHaveLength(1);
  expect(otlp.bodies[0]?.path).toBe("/v1/traces");
  const { resourceSpans } = JSON.parse(otlp.bodies[0]?.body ?? "") as {
    resourceSpans: { resource: { attributes: unknown[] }; scopeSpans: { spans: object[] }[] }[];
  };
  expect(resourceSpans[0]?.resource.attributes).toContainEqual({ key: "service.name", value: { stringValue: "support-agent" } });
  expect(resourceSpans[0]?.scopeSpans[0]?.spans[0]).toMatchObject({
    name: "invoke_agent triage",
    traceId: "0af7651916cd43dd8448eb211c80319c",
    parentSpanId: "b7ad6b7169203331",
    attributes: expect.arrayContaining([{ key: "remit.run.id", value: { stringValue: "run_1" } }]) as unknown,
  });
});

test("[OBS-02] a collector that never answers is not waited for, and one that is not there is not noticed", async () => {
  await using hanging = await collector(true);
  for (const endpoint of [hanging.url, "http://127.0.0.1:9", "no address at all"]) {
    const span = await startRunSpan({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint }, "support-agent", "triage");
    expect(span.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    await span.end({}, "it failed");
  }
});

test("[OBS-02] without an endpoint there is still a trace that others' spans hang on", async () => {
  const span = await startRunSpan({ TRACEPARENT: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" }, "support-agent", "triage");
  expect(span.traceparent).toMatch(/^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/);
  await span.end({}, null);
});
