/* The keys of `fixtures/mtls` are made for these tests and let nobody in anywhere. */
import { readFile } from "node:fs/promises";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import { pino } from "pino";
import { expect, test } from "vitest";
import { createUpstreams } from "../upstream/upstreams.service.ts";
import { openTestCredentials, patient, testBy, testCredential, testUpstream } from "./secret.testing.ts";

const pem = (name: string): Promise<string> => readFile(new URL(`./fixtures/mtls/${name}.pem`, import.meta.url), "utf8");

/** An MCP server that lets in only whoever has a certificate of its authority. */
async function openMtls() {
  const both = await pem("server");
  const callers: string[] = [];
  const server = createServer(
    { cert: both, key: both, ca: await pem("ca"), requestCert: true, rejectUnauthorized: true, keepAliveTimeout: 120_000 },
    (request, response) => {
      const { CN } = (request.socket as TLSSocket).getPeerCertificate().subject;
      callers.push(String(CN));
      let body = "";
      request.on("data", (chunk: Buffer) => (body += chunk.toString()));
      request.on("end", () => {
        const { id, method, params } = JSON.parse(body === "" ? "{}" : body) as {
          id?: number;
          method?: string;
          params?: { protocolVersion?: string };
        };
        if (id === undefined) {
          response.writeHead(202).end();
          return;
        }
        const result =
          method === "initialize"
            ? { protocolVersion: params?.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: "mtls", version: "1" } }
            : method === "tools/list"
              ? { tools: [{ name: "whoami", inputSchema: { type: "object" } }] }
              : method === "tools/call"
                ? { content: [{ type: "text", text: `you are ${String(CN)}` }] }
                : undefined;
        response.writeHead(200, { "content-type": "application/json" });
        response.end(
          JSON.stringify({ jsonrpc: "2.0", id, ...(result === undefined ? { error: { code: -32601, message: "no" } } : { result }) }),
        );
      });
    },
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    callers,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test("[CTL-23] an upstream that asks for a client certificate is shown it, in the handshake and in calls; a stranger's is not let in", async () => {
  await using server = await openMtls();
  const spec = testUpstream("crm", "crm-cert", { transport: { type: "http", url: server.url } });
  const credential = testCredential("crm-cert", { type: "secret", secret: "crm/cert" }, { type: "client-certificate", ca: "crm/ca" });
  await using test = await openTestCredentials([spec], [credential]);
  await test.secrets.set({ path: "crm/ca", value: await pem("ca") }, "party:ada");
  await test.secrets.set({ path: "crm/cert", value: await pem("stranger") }, "party:ada");
  const fleet = createUpstreams({
    logger: pino({ level: "silent" }),
    now: () => new Date(),
    rootDir: ".",
    broker: test.broker,
    backoff: { firstMs: 20, maxMs: 50, stableAfterMs: 1_000 },
  });
  try {
    fleet.reconcile([spec]);
    await expect(fleet.offered("crm")).rejects.toMatchObject({ code: "upstream-unavailable" });
    expect(server.callers).toEqual([]);
    await test.secrets.rotate({ path: "crm/cert", value: await pem("client"), overlap: "PT1H" }, "party:ada");
    expect(await fleet.offered("crm")).toMatchObject([{ name: "whoami" }]);
    const call = { upstream: "crm", tool: "whoami", arguments: {}, timeoutMs: 50_000, signal: patient(), by: testBy() };
    expect(await fleet.call(call)).toMatchObject({ content: [{ text: "you are client" }] });
    expect(new Set(server.callers)).toEqual(new Set(["client"]));
  } finally {
    await fleet.stop();
  }
});
