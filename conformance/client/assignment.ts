import { z } from "zod";

/** What the referee tells the command that it starts. */
export const assignmentSchema = z.object({
  scenario: z.string(),
  revision: z.enum(["2025-11-25", "2026-07-28"]),
  serverUrl: z.url(),
  context: z.looseObject({
    client_id: z.string().optional(),
    client_secret: z.string().optional(),
    toolCalls: z.array(z.object({ name: z.string(), arguments: z.record(z.string(), z.unknown()) })).optional(),
  }),
});
export type Assignment = z.infer<typeof assignmentSchema>;

export type ToolCall = { name: string; arguments?: Record<string, unknown> };

/** What an agent does with the upstream of a scenario. */
export type Work = {
  calls: readonly ToolCall[];
  /** Operations beside tools that the agent is granted, and does. */
  reads?: readonly string[];
  prompts?: readonly string[];
};

const nothing: Work = { calls: [] };
const authorized: Work = { calls: [{ name: "test-tool", arguments: {} }] };

const works: Record<string, Work> = {
  initialize: nothing,
  "request-metadata": nothing,
  "json-schema-ref-no-deref": nothing,
  tools_call: { calls: [{ name: "add_numbers", arguments: { a: 2, b: 3 } }] },
  "elicitation-sep1034-client-defaults": { calls: [{ name: "test_client_elicitation_defaults" }] },
  "sse-retry": { calls: [{ name: "test_reconnection" }] },
  "sep-2322-client-request-state": {
    calls: ["test_mrtr_echo_state", "test_mrtr_unrelated", "test_mrtr_no_state", "test_mrtr_no_result_type"].map((name) => ({ name })),
  },
  "http-standard-headers": {
    calls: [{ name: "test_headers" }, { name: "my-hyphenated-tool" }],
    reads: ["file:///path/to/file%20name.txt", "https://example.com/resource?id=123"],
    prompts: ["test_prompt"],
  },
  "http-invalid-tool-headers": { calls: [{ name: "valid_tool", arguments: { region: "us-west1" } }] },
};

export function workOf({ scenario, context }: Assignment): Work {
  if (context.toolCalls !== undefined) return { calls: context.toolCalls.map(withoutNulls) };
  return works[scenario] ?? (scenario.startsWith("auth/") ? authorized : nothing);
}

/** The referee asks for a null where its own schema allows a boolean or nothing: the gateway refuses the one and passes the other. */
function withoutNulls(call: ToolCall): ToolCall {
  return { ...call, arguments: Object.fromEntries(Object.entries(call.arguments ?? {}).filter(([, value]) => value !== null)) };
}
