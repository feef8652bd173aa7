import { RemitError } from "@remit/contract";
import type { Decision, Issue, JsonObject, PolicyQuestion } from "@remit/contract";
import { didYouMean, tierDenial } from "@remit/core";
import type { Facts, PolicyRequest, Registry } from "@remit/core";
import type { PreparedRegistry } from "./prepared-registry.ts";

/** A Tuesday at noon on which nothing has happened yet. */
const quiet: Facts = {
  weekday: "tue",
  hour: 12,
  date: "2026-01-06",
  runActions: 0,
  runActionsLimit: 100,
  actionsThisMinute: 0,
  actionsToday: 0,
  amountToday: 0,
};

/**
 * What the action path would ask of policy for this call.
 * @throws RemitError `invalid-request`, naming what is not registered
 */
export function requestOf(registry: Registry, question: PolicyQuestion): { policy: string; request: PolicyRequest } {
  const issues: Issue[] = [];
  const find = <Value>(kind: string, pointer: string, name: string | undefined, among: ReadonlyMap<string, Value>): Value | undefined => {
    const value = name === undefined ? undefined : among.get(name);
    if (value === undefined) issues.push({ pointer, message: `There is no ${kind} ${name ?? ""}${didYouMean(name ?? "", among.keys())}.` });
    return value;
  };
  const agent = find("agent", "/agent", question.agent, registry.agents)?.spec;
  const tool = find("tool", "/tool", question.tool, registry.tools)?.spec;
  const policy = question.policy ?? agent?.policies[0];
  find("policy set", "/policy", policy, registry.policies);
  const environment = find("environment", "/environment", question.environment ?? agent?.environments[0], registry.environments);
  const queue = question.queue ?? null;
  if (queue !== null) find("queue", "/queue", queue, registry.queues);
  for (const team of question.approvals) find("team", "/approvals", team, registry.teams);
  if (issues.length > 0 || agent === undefined || tool === undefined || environment === undefined || policy === undefined)
    throw new RemitError("invalid-request", issues[0]?.message ?? "The question is incomplete.", { issues });
  const facts = Object.fromEntries(Object.entries(question.facts).filter(([, value]) => value !== undefined));
  return {
    policy,
    request: {
      agent: question.agent,
      roles: question.roles ?? agent.roles,
      tier: question.tier ?? agent.tier,
      tool: question.tool,
      upstream: tool.upstream,
      effect: tool.effect,
      sensitivity: tool.sensitivity,
      reversibility: tool.reversibility,
      queue,
      environment: environment.name,
      environmentType: environment.type,
      workflow: question.workflow ?? null,
      input: question.input as JsonObject,
      facts: { ...quiet, ...facts },
      approvals: question.approvals,
    },
  };
}

/** The agent's grants of tools and places, its tier, and policy: what would be said of the call, budgets and halts aside. */
export function judge(prepared: PreparedRegistry, policy: string, request: PolicyRequest): Decision {
  const agent = prepared.registry.agents.get(request.agent)?.spec;
  if (agent !== undefined && !agent.tools.includes(request.tool))
    return denied("tool-not-granted", `${request.agent} is not granted ${request.tool}; ${agent.accountable} answers for its grants.`);
  if (agent !== undefined && !agent.environments.includes(request.environment))
    return denied("environment-not-granted", `${request.agent} is not registered for the environment ${request.environment}.`);
  const tooLow = tierDenial(request);
  if (tooLow !== null) return tooLow;
  return prepared.sets.get(policy)?.decide(request) ?? denied("policy-missing", `There is no policy set ${policy}.`);
}

function denied(code: Extract<Decision, { type: "deny" }>["code"], reason: string): Decision {
  return { type: "deny", code, reason, policies: [], shadow: [] };
}
