import type { AgentSpec, ErrorCode, StartRun, WorkflowSpec } from "@remit/contract";
import { durationSeconds } from "../calendar/duration.ts";
import { covers, type Halt } from "../halt/halt.ts";
import { didYouMean } from "../registry/nearest-name.ts";
import type { RegisteredAgent, Registry } from "../registry/registry.ts";

/** Under which terms a run may start: what was asked for, inside what the workflow and its agent allow. */
export type RunTerms = {
  workflow: WorkflowSpec;
  agent: RegisteredAgent;
  environment: string;
  policy: string;
  queue: string | null;
  maxActions: number;
  /** Milliseconds from its start. */
  wallclock: number;
  requireApproval: string[];
};

export type RunRefusal = { type: "refused"; code: ErrorCode; reason: string; pointer: string };

/** Whether a run may start, and how. Asking can only narrow: whatever would widen is refused and never trimmed in silence. */
export function runTerms(registry: Registry, halts: readonly Halt[], start: StartRun): { type: "terms"; terms: RunTerms } | RunRefusal {
  const workflow = registry.workflows.get(start.workflow);
  if (workflow === undefined) {
    return refused(
      "not-found",
      "/workflow",
      `There is no workflow ${start.workflow}${didYouMean(start.workflow, registry.workflows.keys())}`,
    );
  }
  const agent = registry.agents.get(workflow.agent);
  if (agent === undefined)
    return refused("unknown-agent", "/workflow", `The agent ${workflow.agent} of ${workflow.name} is not registered`);
  if (agent.suspended !== null) return refused(agent.suspended.code, "/workflow", agent.suspended.reason);
  const { spec } = agent;

  if (!spec.environments.includes(start.environment)) {
    return refused(
      "environment-not-granted",
      "/environment",
      `${spec.name} may act in ${spec.environments.join(", ")} and not in ${start.environment}${didYouMean(start.environment, spec.environments)}`,
    );
  }
  const policy = start.policy ?? spec.policies[0];
  if (policy === undefined || !spec.policies.includes(policy)) {
    return refused(
      "policy-missing",
      "/policy",
      `${spec.name} acts under ${spec.policies.join(", ")} and not under ${policy ?? "none"}${didYouMean(policy ?? "", spec.policies)}`,
    );
  }
  const queue = start.queue === undefined ? (workflow.queue ?? null) : start.queue;
  if (queue !== null && !registry.queues.has(queue)) {
    return refused("not-found", "/queue", `There is no queue ${queue}${didYouMean(queue, registry.queues.keys())}`);
  }
  const maxActions = start.maxActions ?? workflow.limits.actions;
  if (maxActions > workflow.limits.actions) {
    return refused(
      "invalid-request",
      "/maxActions",
      `${workflow.name} allows ${workflow.limits.actions} actions a run; a run can ask for fewer and not for ${maxActions}`,
    );
  }
  const unknown = start.requireApproval.find((name) => !namesTool(spec, name));
  if (unknown !== undefined) {
    // A misspelt name would gate nothing, and nobody would notice.
    const reason = `${spec.name} has no tool ${unknown} that could wait for a person${didYouMean(unknown, toolNames(spec))}`;
    return refused("invalid-request", "/requireApproval", reason);
  }
  const halt = halts.find((one) => one.mode === "halt" && coversRun(one, spec.name, start.environment));
  if (halt !== undefined) return refused("halted", "/workflow", `Halted: ${halt.reason}. Nothing runs until two people release it`);

  const wallclock = durationSeconds(workflow.limits.wallclock) * 1_000;
  const requireApproval = [...new Set(start.requireApproval)];
  return {
    type: "terms",
    terms: { workflow, agent, environment: start.environment, policy, queue, maxActions, wallclock, requireApproval },
  };
}

/** Halts of a tool or an upstream leave a run something to do; these do not. */
function coversRun({ scope }: Halt, agent: string, environment: string): boolean {
  return covers(scope, { agent, environment, tool: "", upstream: "", run: null, effect: "read" });
}

function namesTool(spec: AgentSpec, name: string): boolean {
  return toolNames(spec).includes(name);
}

/** Qualified and own names: both are accepted where a run names a tool. */
function toolNames(spec: AgentSpec): string[] {
  return spec.tools.flatMap((qualified) => [qualified, qualified.slice(qualified.indexOf("__") + 2)]);
}

function refused(code: ErrorCode, pointer: string, reason: string): RunRefusal {
  return { type: "refused", code, reason, pointer };
}
