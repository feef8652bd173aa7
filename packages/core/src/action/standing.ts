import type { AgentSpec, Caller, EnvironmentSpec, ErrorCode, HaltScope } from "@remit/contract";
import { type Halt, stoppedBy } from "../halt/halt.ts";
import type { RegisteredTool, Registry, ToolPin } from "../registry/registry.ts";

export type Denial = { type: "deny"; code: ErrorCode; reason: string };

/** A caller and a tool that may meet, as far as everything but tier, policy and budget is concerned. */
export type Standing = { type: "stands"; agent: AgentSpec; environment: EnvironmentSpec; tool: PinnedTool };
type PinnedTool = RegisteredTool & { pin: ToolPin };

/**
 * Whether this caller has any standing to use this tool now: the agent is in force and answered for, the environment and the tool
 * are granted to it, the tool is as somebody accepted it, and nothing is halted. Asked again at every call and every listing:
 * a token says who somebody was when it was issued, not what he may do now.
 */
export function standing(registry: Registry, halts: readonly Halt[], caller: Caller, qualifiedName: string): Standing | Denial {
  const agent = registry.agents.get(caller.agent);
  if (agent === undefined) return deny("unknown-agent", `No agent ${caller.agent} is registered.`);
  if (agent.suspended !== null) return deny(agent.suspended.code, agent.suspended.reason);
  if (agent.version !== caller.version) {
    return deny("token-revoked", `Agent ${caller.agent} has changed since this token was issued; get a new token.`);
  }
  const environment = registry.environments.get(caller.environment);
  if (environment === undefined || !agent.spec.environments.includes(caller.environment)) {
    return deny("environment-not-granted", `Agent ${caller.agent} is not registered for the environment ${caller.environment}.`);
  }
  if (!agent.spec.policies.includes(caller.policy)) {
    return deny("policy-missing", `Agent ${caller.agent} is not registered for the policy ${caller.policy}.`);
  }
  const tool = registry.tools.get(qualifiedName);
  if (tool === undefined) return deny("unknown-tool", `No tool ${qualifiedName} is registered. Use a name from tools/list.`);
  if (!agent.spec.tools.includes(qualifiedName)) {
    return deny(
      "tool-not-granted",
      `Agent ${caller.agent} is not granted the tool ${qualifiedName}; ${agent.spec.accountable} answers for its grants.`,
    );
  }
  if (tool.state !== "accepted" || !isPinned(tool)) return deny("tool-changed", changed(tool));
  const halt = stoppedBy(halts, {
    environment: caller.environment,
    agent: caller.agent,
    tool: qualifiedName,
    upstream: tool.spec.upstream,
    run: caller.run?.id ?? null,
    effect: tool.spec.effect,
  });
  if (halt !== null) return stopped(halt);
  return { type: "stands", agent: agent.spec, environment, tool };
}

function isPinned(tool: RegisteredTool): tool is PinnedTool {
  return tool.pin !== null;
}

function changed(tool: RegisteredTool): string {
  return tool.state === "missing"
    ? `The upstream ${tool.spec.upstream} does not offer ${tool.spec.name}; see remit tools diff.`
    : `The upstream ${tool.spec.upstream} has changed ${tool.spec.name}; it is blocked until somebody accepts the change (remit tools diff).`;
}

function stopped(halt: Halt): Denial {
  const where = describeScope(halt.scope);
  return halt.mode === "halt"
    ? deny("halted", `Halted (${where}): ${halt.reason}. Nothing runs until two people release it.`)
    : deny("safe-mode", `Safe mode (${where}): ${halt.reason}. Only reading is possible until two people release it.`);
}

/** A halt's scope in words. */
export function describeScope(scope: HaltScope): string {
  return scope.type === "everything" ? "everything" : `${scope.type} ${scope.name}`;
}

function deny(code: ErrorCode, reason: string): Denial {
  return { type: "deny", code, reason };
}
