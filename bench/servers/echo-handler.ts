/** The echo server by the SDK's own HTTP handler, which makes a server for each request: `node echo-handler.ts <port>`. */
import { createServer } from "node:http";
import { toNodeHandler } from "@modelcontextprotocol/node";
import type { NodeIncomingMessageLike } from "@modelcontextprotocol/node";
import { createMcpHandler } from "@modelcontextprotocol/server";
import { createEchoServer } from "./echo-server.ts";

const handler = toNodeHandler(createMcpHandler(createEchoServer));
createServer((request, response) => void handler(request as NodeIncomingMessageLike, response)).listen(
  Number(process.argv[2]),
  "127.0.0.1",
);
