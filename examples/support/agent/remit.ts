import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import type { CallToolResult, Tool } from "@modelcontextprotocol/client";

/** What became of a call, as this agent needs to know it. */
export type CallOutcome =
  | { type: "done"; data: Record<string, unknown>; text: string }
  /** A person has been asked. It is carried out without us once they say yes. */
  | { type: "waiting"; teams: string[]; link: string }
  | { type: "refused" | "failed"; code: string; reason: string };

export type Remit = {
  /** What this agent may call, or ask for. */
  tools: readonly Tool[];
  /** @param tool the tool's own name, `tickets.read`, or a qualified one. */
  call(tool: string, input: Record<string, unknown>): Promise<CallOutcome>;
  close(): Promise<void>;
};

/** Nothing more can be done in this run after one of these. */
export const endingCodes: readonly string[] = [
  "run-limit-reached",
  "run-ended",
  "halted",
  "token-expired",
  "token-revoked",
  "unauthenticated",
];

export async function connectToRemit(url: string, token: string, traceparent: string | undefined): Promise<Remit> {
  const headers = { authorization: `Bearer ${token}`, ...(traceparent === undefined ? {} : { traceparent }) };
  const client = new Client({ name: "support-triage", version: "1.0.0" }, { versionNegotiation: { mode: "auto" } });
  try {
    await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }));
  } catch (cause) {
    throw new Error(`Remit does not let us in at ${url}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
  const { tools } = await client.listTools();
  const qualified = new Map(tools.map((tool) => [ownName(tool.name), tool.name]));
  return {
    tools,
    async call(tool, input) {
      const name = qualified.get(tool) ?? (tool.includes("__") ? tool : `helpdesk__${tool}`);
      try {
        return outcomeOf(await client.callTool({ name, arguments: input }));
      } catch (error) {
        // An error of the protocol: nothing was attempted. A name that is not listed is one of these.
        return refusedByProtocol(error);
      }
    },
    close: () => client.close(),
  };
}

export function ownName(qualifiedName: string): string {
  return qualifiedName.slice(qualifiedName.indexOf("__") + 2);
}

/** What did not happen is an error result; `_meta["remit/outcome"]` says what it is instead. */
export function outcomeOf(result: CallToolResult): CallOutcome {
  const text = result.content.map((block) => (block.type === "text" ? block.text : "")).join("\n");
  if (result.isError !== true) return { type: "done", data: recordOf(result.structuredContent), text };
  const told = recordOf(result._meta?.["remit/outcome"]);
  if (told["type"] === "waiting") {
    const teams = Array.isArray(told["teams"]) ? told["teams"].map(String) : [];
    return { type: "waiting", teams, link: textOf(told["link"], "") };
  }
  const type = told["type"] === "denied" ? "refused" : "failed";
  return { type, code: textOf(told["code"], "tool-error"), reason: textOf(told["reason"], text) };
}

function refusedByProtocol(error: unknown): CallOutcome {
  if (!(error instanceof Error)) throw error;
  const data = recordOf("data" in error ? error.data : undefined);
  // No code: the connection is gone or the answer was no answer. That is our own failure, not a refusal.
  if (!("code" in error) || typeof error.code !== "number") throw error;
  return { type: "refused", code: textOf(data["code"], String(error.code)), reason: error.message };
}

function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function textOf(value: unknown, otherwise: string): string {
  return typeof value === "string" ? value : otherwise;
}
