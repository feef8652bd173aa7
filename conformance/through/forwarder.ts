import { createServer, request as send } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export type Exchange = { method: string; url: string; headers: string[]; body: string; status: number; answer: string };

export type Forwarder = { url: string; exchanges: Exchange[]; [Symbol.asyncDispose](): Promise<void> };

/**
 * The referee cannot send a token. This adds one to each request and changes nothing else: not Host, not Origin, not a byte of a
 * body, and what streams goes on streaming.
 */
export async function openForwarder(target: URL, token: () => Promise<string>): Promise<Forwarder> {
  const exchanges: Exchange[] = [];
  const server = createServer((request, response) => {
    forward(request, response).catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined));
  });

  async function forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const headers = [...request.rawHeaders, "authorization", `Bearer ${await token()}`];
    const { method = "GET", url = "/" } = request;
    const exchange: Exchange = { method, url, headers: request.rawHeaders, body: "", status: 0, answer: "" };
    exchanges.push(exchange);
    const onward = send({ host: target.hostname, port: target.port, path: target.pathname, method, headers, setHost: false });
    onward.once("response", (answer) => {
      exchange.status = answer.statusCode ?? 0;
      response.writeHead(answer.statusCode ?? 502, answer.statusMessage, answer.rawHeaders);
      response.flushHeaders();
      answer.on("data", (chunk: Buffer) => (exchange.answer += chunk.toString()));
      answer.pipe(response);
      answer.once("error", () => response.destroy());
    });
    onward.once("error", () => response.destroy());
    // Closing a stream is how a client cancels: it has to arrive.
    response.once("close", () => onward.destroy());
    request.on("data", (chunk: Buffer) => (exchange.body += chunk.toString()));
    request.pipe(onward);
  }

  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    exchanges,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}
