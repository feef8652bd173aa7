import type { ErrorCode, TerminalState } from "@remit/contract";
import type { SpanAttributes } from "./tracing.ts";

/**
 * Versions of OpenTelemetry's conventions for GenAI and MCP that spans can be told in, oldest first.
 * `1.36.0`: the last before they were declared in motion; it knows no MCP. `1.41.0`: the last of the common repository that has both.
 * `genai`: open-telemetry/semantic-conventions-genai, where they live since; it has no releases, so this is how it stood in November 2026.
 */
export const semconvVersions = ["1.36.0", "1.41.0", "genai"] as const;
export type SemconvVersion = (typeof semconvVersions)[number];

/**
 * Which one is asked for. `OTEL_SEMCONV_STABILITY_OPT_IN` is a list in which each convention looks for its own words: `gen_ai_latest_experimental`
 * is the specification's, `gen_ai/1.36.0` ours in its manner. Default: the newest that has a number.
 */
export function semconvVersionOf(optIn: string | undefined): SemconvVersion {
  const words = (optIn ?? "").split(",").map((word) => word.trim());
  if (words.includes("gen_ai_latest_experimental")) return "genai";
  return semconvVersions.find((version) => words.includes(`gen_ai/${version}`)) ?? "1.41.0";
}

/** Where a version says what its names mean; null: it has no such address. */
export function schemaUrlOf(version: SemconvVersion): string | null {
  return version === "genai" ? null : `https://opentelemetry.io/schemas/${version}`;
}

/** What there are spans of. */
export type SpanKind = "internal" | "server" | "client";

/** What of an action's facts may be told: names that are registered, ids and codes. Never arguments, results, reasons or an agent's own words. */
export type ActionFacts = {
  actionId: string;
  /** Qualified name; null where no such tool is registered: its name is whatever the agent made up. */
  tool: string | null;
  /** The method of MCP that the action stands for; `tools/call` for all that is a tool. */
  method: string;
  agent: string;
  version: string;
  environment: string;
  runId: string | null;
};

export type SpanFacts =
  /** `byProtocol`: a client waits for it. Otherwise people have granted it, and the server carries it out. */
  | ({ of: "attempt"; byProtocol: boolean; approvalId?: string } & ActionFacts)
  | ({ of: "decision"; policy: string } & ActionFacts)
  | ({ of: "approval-wait"; outcome: string } & ActionFacts)
  /** `name`: what the upstream calls the tool. `transport`: of MCP; null where the upstream speaks another protocol. */
  | ({ of: "upstream-call"; upstream: string; name: string; transport: "pipe" | "tcp" | null } & ActionFacts);

export type SpanShape = { name: string; kind: SpanKind; attributes: SpanAttributes };

/** How an attempt ended, as far as this server knows. The last four leave no terminal entry of their own. */
export type AttemptEnd = TerminalState | "waiting" | "attached" | "gone" | "unrecorded";

/** A span as it begins: the one table from our facts to names of a version. */
export function spanOf(version: SemconvVersion, facts: SpanFacts): SpanShape {
  const remit: SpanAttributes = {
    "remit.action.id": facts.actionId,
    "remit.environment": facts.environment,
    ...(facts.tool === null ? {} : { "remit.tool": facts.tool }),
    ...(facts.runId === null ? {} : { "remit.run.id": facts.runId }),
  };
  const isTool = facts.method === "tools/call";
  const toolName = facts.tool === null || !isTool ? {} : { "gen_ai.tool.name": facts.tool };
  const agent: SpanAttributes = {
    "gen_ai.agent.name": facts.agent,
    // A version of an agent had no name yet.
    ...(version === "1.36.0" ? { "remit.agent.version": facts.version } : { "gen_ai.agent.version": facts.version }),
  };
  const target = (word: string): string => (facts.tool === null || !isTool ? word : `${word} ${facts.tool}`);
  const execution: SpanAttributes = isTool ? { "gen_ai.operation.name": "execute_tool" } : {};
  switch (facts.of) {
    case "attempt": {
      const approval = facts.approvalId === undefined ? {} : { "remit.approval.id": facts.approvalId };
      const attributes = { ...execution, ...toolName, ...agent, ...remit, ...approval };
      // Where it and GenAI meet in one call, one span carries both.
      if (facts.byProtocol && version !== "1.36.0")
        return { name: target(facts.method), kind: "server", attributes: { "mcp.method.name": facts.method, ...attributes } };
      return { name: target(isTool ? "execute_tool" : facts.method), kind: "internal", attributes };
    }
    case "decision":
      return { name: target("decide"), kind: "internal", attributes: { ...agent, ...remit, "remit.policy": facts.policy } };
    case "approval-wait":
      return { name: target("approval wait"), kind: "internal", attributes: { ...remit, "remit.approval.outcome": facts.outcome } };
    case "upstream-call": {
      const { upstream, name, transport } = facts;
      const attributes = { ...remit, "remit.upstream": upstream };
      // Two spans of one execution under one name would count it twice: where there is no word for the second, it gets none.
      if (version === "1.36.0" || transport === null) return { name: `call ${upstream}`, kind: "client", attributes };
      const called: SpanAttributes = isTool ? { "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name } : {};
      return {
        name: isTool ? `${facts.method} ${name}` : facts.method,
        kind: "client",
        attributes: { "mcp.method.name": facts.method, ...called, "network.transport": transport, ...attributes },
      };
    }
  }
}

/** What is known of it once it has ended; with `error.type` its status is an error. */
export function attemptEnded(
  version: SemconvVersion,
  { end, code, isToolError }: { end: AttemptEnd; code: ErrorCode | null; isToolError: boolean },
): SpanAttributes {
  return {
    "remit.outcome": end,
    ...(code === null ? {} : { "remit.code": code, "error.type": errorType(version, code, isToolError) }),
  };
}

/** A tool answered that it has failed. */
export function toolFailed(version: SemconvVersion): SpanAttributes {
  return { "error.type": errorType(version, "upstream-error", true) };
}

/** A call came to nothing; `rpcCode`: of the JSON-RPC error that the upstream answered with, if it did. */
export function callFailed(version: SemconvVersion, code: ErrorCode, rpcCode: number | null): SpanAttributes {
  if (rpcCode === null || version === "1.36.0") return { "error.type": errorType(version, code, false) };
  return { "error.type": String(rpcCode), "rpc.response.status_code": String(rpcCode) };
}

/** A word of a small set, as the conventions want it: a standard one where there is one, else our code. */
function errorType(version: SemconvVersion, code: ErrorCode, isToolError: boolean): string {
  if (version !== "1.36.0" && code === "upstream-error" && isToolError) return "tool_error";
  return code === "upstream-timeout" ? "timeout" : code;
}
