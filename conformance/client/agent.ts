import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import type { Revision } from "../referee.ts";
import type { Work } from "./assignment.ts";

/** An agent with the official client, which does its work through the gateway. Its person accepts every form as it is filled in. */
export async function work(
  url: URL,
  token: () => Promise<string>,
  revision: Revision,
  { calls, reads = [], prompts = [] }: Work,
): Promise<void> {
  const client = new Client(
    { name: "conformance-agent", version: "1.0.0" },
    {
      capabilities: { elicitation: { form: { applyDefaults: true } }, sampling: {}, roots: {} },
      versionNegotiation: { mode: revision === "2026-07-28" ? { pin: revision } : "legacy" },
    },
  );
  client.setRequestHandler("elicitation/create", () => ({ action: "accept", content: {} }));
  const requestInit = { headers: { authorization: `Bearer ${await token()}` } };
  await client.connect(new StreamableHTTPClientTransport(url, { requestInit }));
  try {
    await client.listTools();
    for (const call of calls) {
      const result = await client.callTool(call);
      if (result.isError === true) throw new Error(`${call.name} failed: ${JSON.stringify(result.content)}`);
    }
    if (reads.length > 0) await client.listResources();
    for (const uri of reads) await client.readResource({ uri });
    if (prompts.length > 0) await client.listPrompts();
    for (const name of prompts) await client.getPrompt({ name });
  } finally {
    await client.close();
  }
}
