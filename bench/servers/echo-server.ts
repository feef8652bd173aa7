import { McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";

/** The tool that every target serves: it says back what it is told. `BENCH_TOOLS`: so many tools, the others as idle as they are many. */
export function createEchoServer(): McpServer {
  const server = new McpServer({ name: "echo", version: "1.0.0" });
  const inputSchema = z.object({ text: z.string() });
  server.registerTool("echo", { description: "Says it back", inputSchema }, (args) => ({ content: [{ type: "text", text: args.text }] }));
  for (let index = 1; index < Number(process.env["BENCH_TOOLS"] ?? 1); index += 1) {
    server.registerTool(`idle-${index}`, { description: `Idle tool ${index}`, inputSchema }, () => ({ content: [] }));
  }
  return server;
}
