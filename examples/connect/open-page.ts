import { Client, ClientCredentialsProvider, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { exampleCalls, toldBy } from "./client.ts";

/**
 * A client that can open addresses says so, and is asked to: what waits for a person becomes a page to open, and the call returns when the
 * person has decided. Here the address is printed in place of being opened.
 */
const { REMIT_MCP_URL: mcpUrl = "", REMIT_CLIENT_ID: clientId = "", REMIT_CLIENT_SECRET: clientSecret = "" } = process.env;

const client = new Client(
  { name: "open-page-example", version: "1.0.0" },
  { versionNegotiation: { mode: "auto" }, capabilities: { elicitation: { url: {} } } },
);
client.setRequestHandler("elicitation/create", ({ params }) => {
  console.log(`${params.message}\n  ${"url" in params ? params.url : ""}\n`);
  return { action: "accept" };
});
const authProvider = new ClientCredentialsProvider({ clientId, clientSecret, expectedIssuer: new URL("/oidc", mcpUrl).href });
await client.connect(new StreamableHTTPClientTransport(new URL(mcpUrl), { authProvider }));
console.log(toldBy(await client.callTool(exampleCalls("/tmp/remit-files").waiting)));
await client.close();
