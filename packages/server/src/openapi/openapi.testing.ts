import { createServer } from "node:http";
import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import type { UpstreamSpec } from "@remit/contract";
import { upstreamSpecSchema } from "@remit/contract";

export type SeenRequest = { method: string; url: string; headers: IncomingHttpHeaders; body: string };

/** A real HTTP server that remembers what it was asked, and answers as it is told. */
export type TestApi = {
  url: string;
  seen: SeenRequest[];
  answer(next: (request: SeenRequest, response: ServerResponse) => void): void;
  [Symbol.asyncDispose](): Promise<void>;
};

export async function openApiServer(): Promise<TestApi> {
  const seen: SeenRequest[] = [];
  const json = (_request: SeenRequest, response: ServerResponse): void =>
    void response.writeHead(200, { "content-type": "application/json" }).end('{"id":"7","name":"Ada"}');
  let answer: (request: SeenRequest, response: ServerResponse) => void = json;
  const server = createServer({ keepAliveTimeout: 120_000 }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const each = {
        method: request.method ?? "",
        url: request.url ?? "",
        headers: request.headers,
        body: Buffer.concat(chunks).toString("latin1"),
      };
      seen.push(each);
      answer(each, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    answer: (next) => void (answer = next),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Where the descriptions of this folder lie. */
export const fixturesDir = dirname(fileURLToPath(new URL("./fixtures/crm.yaml", import.meta.url)));

export function apiSpec(name: string, document: string, baseUrl?: string, transport: { recheckMs?: number } = {}): UpstreamSpec {
  return upstreamSpecSchema.parse({
    kind: "upstream",
    name,
    owner: "ada",
    transport: { type: "openapi", document, ...(baseUrl === undefined ? {} : { baseUrl }), ...transport },
  });
}
