import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import type { ConfiguredServer } from "./client-config.ts";

export type ListedTool = {
  name: string;
  description: string;
  annotations: { readOnlyHint?: boolean | undefined; idempotentHint?: boolean | undefined };
};

/** Some servers are fetched when they are first started. Milliseconds. */
const startMs = 60_000;

/** Starts a server as its client would, and asks it which tools it has. */
export async function askServer({ transport }: ConfiguredServer, cwd: string): Promise<ListedTool[]> {
  if (transport.type === "unknown") throw new Error(transport.why);
  const client = new Client({ name: "remit-wrap", version: "0.1.0" }, { versionNegotiation: { mode: "auto" } });
  const connection =
    transport.type === "http"
      ? new StreamableHTTPClientTransport(new URL(transport.url), { requestInit: { headers: transport.headers } })
      : new StdioClientTransport({
          command: transport.command,
          args: transport.args,
          env: { ...ownEnvironment(), ...transport.env },
          cwd: transport.cwd ?? cwd,
          stderr: "ignore",
        });
  try {
    await client.connect(connection, { timeout: startMs });
    const tools: ListedTool[] = [];
    let cursor: string | undefined;
    do {
      const page = await client.listTools(cursor === undefined ? undefined : { cursor }, { timeout: startMs });
      for (const { name, description = "", annotations = {} } of page.tools) tools.push({ name, description, annotations });
      cursor = page.nextCursor;
    } while (cursor !== undefined && tools.length < 5_000);
    return tools;
  } finally {
    await client.close();
  }
}

function ownEnvironment(): Record<string, string> {
  return Object.fromEntries(Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined));
}
