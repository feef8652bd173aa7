import { Client, ClientCredentialsProvider, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import {
  ClientCredentialsProvider as FirstProvider,
  type ClientCredentialsProviderOptions,
} from "@modelcontextprotocol/sdk/client/auth-extensions.js";
import { Client as FirstClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as FirstTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

/** What `remit agents secret new` prints. */
export type Credentials = { mcpUrl: string; clientId: string; clientSecret: string };

/** As much of either SDK's client as is needed here. */
export type McpClient = {
  listTools(): Promise<{ tools: { name: string }[] }>;
  callTool(params: { name: string; arguments: Record<string, unknown> }): Promise<Record<string, unknown>>;
  close(): Promise<void>;
};

const info = { name: "connect-example", version: "1.0.0" };

/** The SDK's second version. It finds the token endpoint by itself, and fetches a new token whenever one has ended. */
export async function connect(credentials: Credentials): Promise<McpClient> {
  const client = new Client(info, { versionNegotiation: { mode: "auto" } });
  const authProvider = new ClientCredentialsProvider({ ...providerOptions(credentials), expectedIssuer: issuerOf(credentials) });
  await client.connect(new StreamableHTTPClientTransport(new URL(credentials.mcpUrl), { authProvider }));
  return client;
}

/** The same with the SDK's first version, which most clients are built with. */
export async function connectFirst(credentials: Credentials): Promise<McpClient> {
  const client = new FirstClient(info);
  const authProvider = new FirstProvider({ ...providerOptions(credentials), expectedIssuer: issuerOf(credentials) });
  await client.connect(new FirstTransport(new URL(credentials.mcpUrl), { authProvider }));
  return client;
}

function providerOptions({ clientId, clientSecret }: Credentials): ClientCredentialsProviderOptions {
  return { clientId, clientSecret };
}

/** Named, so that the secret goes to no other authorization server than this. */
function issuerOf({ mcpUrl }: Credentials): string {
  return new URL("/oidc", mcpUrl).href;
}

/** What became of a call, in one line: the first text of its result. */
export function toldBy(result: Record<string, unknown>): string {
  const [block] = result["content"] as { type: string; text?: string }[];
  return `${result["isError"] === true ? "✗" : "✓"} ${block?.text ?? block?.type ?? "nothing"}`;
}

/** One that is allowed, one that is refused, one that waits for a person. */
export function exampleCalls(folder: string) {
  return {
    allowed: { name: "files__read_text_file", arguments: { path: `${folder}/plan.md` } },
    refused: { name: "files__read_text_file", arguments: { path: `${folder}/secret.md` } },
    waiting: { name: "files__write_file", arguments: { path: `${folder}/plan.md`, content: "# Plan: ship on Tuesday\n" } },
  };
}

if (import.meta.main) await main();

async function main(): Promise<void> {
  const credentials = readCredentials(process.env);
  const client = await (process.argv.includes("--first-sdk") ? connectFirst : connect)(credentials);
  const { tools } = await client.listTools();
  console.log(`${credentials.clientId} may call, or ask for:\n${tools.map(({ name }) => `  ${name}\n`).join("")}`);
  for (const call of Object.values(exampleCalls("/tmp/remit-files"))) {
    console.log(`${call.name} ${JSON.stringify(call.arguments)}`);
    // A tool that is not listed is answered with an error of the protocol.
    const told = await client
      .callTool(call)
      .then(toldBy, (error: unknown) => `✗ ${error instanceof Error ? error.message : String(error)}`);
    console.log(`  ${told}\n`);
  }
  await client.close();
}

function readCredentials(env: Readonly<Record<string, string | undefined>>): Credentials {
  const { REMIT_MCP_URL: mcpUrl, REMIT_CLIENT_ID: clientId, REMIT_CLIENT_SECRET: clientSecret } = env;
  if (mcpUrl === undefined || clientId === undefined || clientSecret === undefined) {
    throw new Error("Set REMIT_MCP_URL, REMIT_CLIENT_ID and REMIT_CLIENT_SECRET; `remit agents secret new <agent>` prints them.");
  }
  return { mcpUrl, clientId, clientSecret };
}
