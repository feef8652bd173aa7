/** The echo server over Streamable HTTP with sessions: `node echo-http.ts <port>`. One transport per session, none per request. */
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { NodeStreamableHTTPServerTransport } from "@modelcontextprotocol/node";
import { createEchoServer } from "./echo-server.ts";

const sessions = new Map<string, NodeStreamableHTTPServerTransport>();

async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const id = request.headers["mcp-session-id"];
  const known = typeof id === "string" ? sessions.get(id) : undefined;
  if (known !== undefined) {
    await known.handleRequest(request, response);
    return;
  }
  const transport: NodeStreamableHTTPServerTransport = new NodeStreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    onsessioninitialized: (session) => void sessions.set(session, transport),
  });
  await createEchoServer().connect(transport);
  await transport.handleRequest(request, response);
}

createServer((request, response) => void handle(request, response)).listen(Number(process.argv[2]), "127.0.0.1");
