import { errorTable } from "@remit/contract";
import type { ErrorCode } from "@remit/contract";
import { expect, test } from "vitest";
import type { ActionFacts, SemconvVersion, SpanFacts, SpanShape } from "./semconv.ts";
import { attemptEnded, callFailed, schemaUrlOf, semconvVersionOf, semconvVersions, spanOf, toolFailed } from "./semconv.ts";

const action: ActionFacts = {
  actionId: "act_1",
  tool: "helpdesk__tickets.read",
  method: "tools/call",
  agent: "support-agent",
  version: "sha256:1",
  environment: "production",
  runId: "run_1",
};
const remit = {
  "remit.action.id": "act_1",
  "remit.environment": "production",
  "remit.tool": "helpdesk__tickets.read",
  "remit.run.id": "run_1",
};
const agent = { "gen_ai.agent.name": "support-agent", "gen_ai.agent.version": "sha256:1" };
const oldAgent = { "gen_ai.agent.name": "support-agent", "remit.agent.version": "sha256:1" };
const tool = { "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "helpdesk__tickets.read" };

/** Every kind of span, exactly as each version has it. */
const pins: readonly [string, SemconvVersion[], SpanFacts, SpanShape][] = [
  [
    "a call by MCP",
    ["1.41.0", "genai"],
    { of: "attempt", byProtocol: true, ...action },
    {
      name: "tools/call helpdesk__tickets.read",
      kind: "server",
      attributes: { "mcp.method.name": "tools/call", ...tool, ...agent, ...remit },
    },
  ],
  [
    "a call, before there was a word for MCP",
    ["1.36.0"],
    { of: "attempt", byProtocol: true, ...action },
    { name: "execute_tool helpdesk__tickets.read", kind: "internal", attributes: { ...tool, ...oldAgent, ...remit } },
  ],
  [
    "what people have granted",
    ["1.41.0", "genai"],
    { of: "attempt", byProtocol: false, approvalId: "apr_1", ...action },
    {
      name: "execute_tool helpdesk__tickets.read",
      kind: "internal",
      attributes: { ...tool, ...agent, ...remit, "remit.approval.id": "apr_1" },
    },
  ],
  [
    "a tool that the agent made up",
    ["1.41.0", "genai"],
    { of: "attempt", byProtocol: true, ...action, tool: null, runId: null },
    {
      name: "tools/call",
      kind: "server",
      attributes: {
        "mcp.method.name": "tools/call",
        "gen_ai.operation.name": "execute_tool",
        ...agent,
        "remit.action.id": "act_1",
        "remit.environment": "production",
      },
    },
  ],
  [
    "another operation of MCP, which is no tool",
    ["1.41.0", "genai"],
    { of: "attempt", byProtocol: true, ...action, method: "resources/read" },
    { name: "resources/read", kind: "server", attributes: { "mcp.method.name": "resources/read", ...agent, ...remit } },
  ],
  [
    "the decision",
    ["1.41.0", "genai"],
    { of: "decision", policy: "support", ...action },
    { name: "decide helpdesk__tickets.read", kind: "internal", attributes: { ...agent, ...remit, "remit.policy": "support" } },
  ],
  [
    "the wait for people",
    [...semconvVersions],
    { of: "approval-wait", outcome: "granted", ...action },
    { name: "approval wait helpdesk__tickets.read", kind: "internal", attributes: { ...remit, "remit.approval.outcome": "granted" } },
  ],
  [
    "the call to an MCP upstream",
    ["1.41.0", "genai"],
    { of: "upstream-call", upstream: "helpdesk", name: "tickets.read", transport: "pipe", ...action },
    {
      name: "tools/call tickets.read",
      kind: "client",
      attributes: {
        "mcp.method.name": "tools/call",
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "tickets.read",
        "network.transport": "pipe",
        ...remit,
        "remit.upstream": "helpdesk",
      },
    },
  ],
  [
    "the same, without counting one execution twice",
    ["1.36.0"],
    { of: "upstream-call", upstream: "helpdesk", name: "tickets.read", transport: "pipe", ...action },
    { name: "call helpdesk", kind: "client", attributes: { ...remit, "remit.upstream": "helpdesk" } },
  ],
  [
    "the call to an API that speaks no MCP",
    [...semconvVersions],
    { of: "upstream-call", upstream: "crm", name: "getCustomer", transport: null, ...action },
    { name: "call crm", kind: "client", attributes: { ...remit, "remit.upstream": "crm" } },
  ],
];

test.each(pins.flatMap(([name, versions, facts, shape]) => versions.map((version) => ({ name, version, facts, shape }))))(
  "[OBS-01] $name, in the words of $version",
  ({ version, facts, shape }) => {
    expect(spanOf(version, facts)).toEqual(shape);
  },
);

test.each<[SemconvVersion, Parameters<typeof attemptEnded>[1], object]>([
  ["1.41.0", { end: "succeeded", code: null, isToolError: false }, { "remit.outcome": "succeeded" }],
  [
    "1.41.0",
    { end: "denied", code: "policy-stop", isToolError: false },
    { "remit.outcome": "denied", "remit.code": "policy-stop", "error.type": "policy-stop" },
  ],
  [
    "genai",
    { end: "failed", code: "upstream-error", isToolError: true },
    { "remit.outcome": "failed", "remit.code": "upstream-error", "error.type": "tool_error" },
  ],
  [
    "1.36.0",
    { end: "failed", code: "upstream-error", isToolError: true },
    { "remit.outcome": "failed", "remit.code": "upstream-error", "error.type": "upstream-error" },
  ],
  [
    "1.41.0",
    { end: "failed", code: "upstream-timeout", isToolError: false },
    { "remit.outcome": "failed", "remit.code": "upstream-timeout", "error.type": "timeout" },
  ],
])("[OBS-01] in %s an attempt that ended %o tells %o", (version, how, expected) => {
  expect(attemptEnded(version, how)).toEqual(expected);
});

test("[OBS-01] a call that failed tells the standard's word for it, or one of ours: never what the upstream wrote", () => {
  expect(toolFailed("genai")).toEqual({ "error.type": "tool_error" });
  expect(callFailed("1.41.0", "upstream-error", -32602)).toEqual({ "error.type": "-32602", "rpc.response.status_code": "-32602" });
  expect(callFailed("1.36.0", "upstream-error", -32602)).toEqual({ "error.type": "upstream-error" });
  for (const code of Object.keys(errorTable) as ErrorCode[])
    expect(callFailed("1.41.0", code, null)).toEqual({ "error.type": code === "upstream-timeout" ? "timeout" : code });
});

test.each<[string | undefined, SemconvVersion, string | null]>([
  [undefined, "1.41.0", "https://opentelemetry.io/schemas/1.41.0"],
  ["", "1.41.0", "https://opentelemetry.io/schemas/1.41.0"],
  ["http/dup, gen_ai_latest_experimental", "genai", null],
  ["gen_ai/1.36.0", "1.36.0", "https://opentelemetry.io/schemas/1.36.0"],
  ["gen_ai/9.9.9", "1.41.0", "https://opentelemetry.io/schemas/1.41.0"],
])("[OBS-01] OTEL_SEMCONV_STABILITY_OPT_IN=%s asks for %s", (optIn, version, schema) => {
  expect(semconvVersionOf(optIn)).toBe(version);
  expect(schemaUrlOf(version)).toBe(schema);
});
