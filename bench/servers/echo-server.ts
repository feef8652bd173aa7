import { McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";

/** The tool that every target serves: it says back what it is told. */
export function createEchoServer(): McpServer {
  const server = new McpServer({ name: "echo", version: "1.0.0" });
  server.registerTool("echo", { description: "Says it back", inputSchema: z.object({ text: z.string() }) }, (args) => ({
    content: [{ type: "text", text: args.text }],
  }));
  return server;
}
