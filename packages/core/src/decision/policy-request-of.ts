import type { Caller, JsonObject } from "@remit/contract";
import type { Standing } from "../action/standing.ts";
import type { Facts, PolicyRequest } from "./policy-request.ts";

/** The question to policy, made here and nowhere else: what lists, what calls and what looks ahead ask alike. */
export function policyRequestOf(
  { agent, environment, tool }: Standing,
  caller: Caller,
  input: JsonObject | null,
  facts: Facts,
  approvals: readonly string[],
): PolicyRequest {
  return {
    agent: agent.name,
    roles: agent.roles,
    tier: agent.tier,
    tool: tool.qualifiedName,
    upstream: tool.spec.upstream,
    effect: tool.spec.effect,
    sensitivity: tool.spec.sensitivity,
    reversibility: tool.spec.reversibility,
    queue: caller.run?.queue ?? null,
    environment: environment.name,
    environmentType: environment.type,
    workflow: caller.run?.workflow ?? null,
    input,
    facts,
    approvals,
  };
}
