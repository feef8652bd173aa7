import { RemitError } from "@remit/contract";
import type { AgentAbilities, AgentSpec } from "@remit/contract";
import { didYouMean } from "@remit/core";
import type { PolicyRequest } from "@remit/core";
import type { Condition, Expression } from "./cedar-expression.ts";
import type { CompiledPolicy } from "./compiled-policy.ts";
import { conditionWords, negated } from "./condition-words.ts";
import { judge, requestOf } from "./policy-question.ts";
import type { PreparedRegistry } from "./prepared-registry.ts";
import { canBe, residual } from "./residual.ts";
import type { Known } from "./residual.ts";

type Ability = AgentAbilities["abilities"][number];

/**
 * What an agent can do with every tool that it is granted, in every place that it works in.
 * @throws RemitError `not-found` | `invalid-request`
 */
export function abilities(prepared: PreparedRegistry, name: string, chosen: { policy?: string | undefined } = {}): AgentAbilities {
  const { registry } = prepared;
  const agent = registry.agents.get(name)?.spec;
  if (agent === undefined) throw new RemitError("not-found", `There is no agent ${name}${didYouMean(name, registry.agents.keys())}.`);
  const policy = chosen.policy ?? agent.policies[0] ?? "";
  const queues = [...new Set([...registry.workflows.values()].filter((flow) => flow.agent === name).map((flow) => flow.queue ?? null))];
  const places = agent.environments.flatMap((environment) =>
    (queues.length === 0 ? [null] : queues).map((queue) => ({ environment, queue })),
  );
  return {
    agent: name,
    policy,
    tier: agent.tier,
    abilities: places.flatMap((place) => agent.tools.map((tool) => ability(prepared, agent, policy, tool, place))),
  };
}

function ability(
  prepared: PreparedRegistry,
  agent: AgentSpec,
  policy: string,
  tool: string,
  place: { environment: string; queue: string | null },
): Ability {
  const { request } = requestOf(prepared.registry, { agent: agent.name, policy, tool, ...place, input: {}, facts: {}, approvals: [] });
  const base = { tool, effect: request.effect, environment: place.environment, queue: place.queue };
  const never = (line: string): Ability => ({ ...base, answer: "never", teams: [], lines: [line] });
  const slice = prepared.sets.get(policy)?.slice(request) ?? null;
  const first = judge(prepared, policy, request);
  if (slice === null || (first.type === "deny" && beforePolicy.has(first.code))) return never(first.type === "deny" ? first.reason : "");
  if (!slice.possible) return never(whyNever(slice.policies, slice.known, request));
  return { ...base, ...possibly(slice.policies, slice.known) };
}

/** Refusals that no arguments, facts or approvals change. */
const beforePolicy = new Set(["tool-not-granted", "environment-not-granted", "tier-too-low", "policy-missing", "unknown-tool"]);

function possibly(policies: readonly CompiledPolicy[], known: Known): Pick<Ability, "answer" | "teams" | "lines"> {
  const live = policies
    .filter(({ rule }) => !rule.shadow && rule.kind !== "obligation")
    .map((policy) => ({ rule: policy.rule, when: whenItApplies(policy.conditions, known) }))
    .filter(({ when }) => when !== "never");
  const grants = live.filter(({ rule }) => rule.kind === "grant");
  const open = grants.some(({ when }) => when === "always");
  const lines: string[] = open ? [] : grants.map(({ rule, when }) => `allowed when ${when} (${rule.id})`);
  const teams = new Set<string>();
  let asksAlways = false;
  let limits = false;
  for (const { rule, when } of live) {
    if (rule.kind === "gate") {
      teams.add(rule.team);
      asksAlways ||= when === "always";
      limits ||= when !== "always";
      lines.push(when === "always" ? `asks ${rule.team} (${rule.id})` : `asks ${rule.team} when ${when} (${rule.id})`);
    }
    if (rule.kind === "stop") {
      limits = true;
      lines.push(`never when ${when} (${rule.id})`);
    }
  }
  const answer = !open || limits ? (open && asksAlways ? "asks" : "depends") : asksAlways ? "asks" : "allowed";
  return { answer, teams: [...teams].sort(), lines };
}

/** What is left of a policy's conditions, in words; approvals are left out, because the team is named anyway. */
function whenItApplies(conditions: readonly Condition[], known: Known): string {
  const left: Expression[] = conditions.map(({ kind, body }) => {
    const rest = withoutApprovals(residual(body, known));
    return kind === "when" ? rest : { op: "!", of: rest };
  });
  if (left.some((node) => !canBe(node, true))) return "never";
  const words = left.filter((node) => canBe(node, false)).map((node) => (node.op === "!" ? negated(node.of) : conditionWords(node)));
  return words.length === 0 ? "always" : words.join(" and ");
}

/** The condition before anybody has approved. */
function withoutApprovals(node: Expression): Expression {
  if (node.op === "contains" || node.op === "containsAny" || node.op === "containsAll")
    return node.left.op === "member" && node.left.name === "approvals" ? { op: "literal", value: false } : node;
  if (node.op !== "&&" && node.op !== "||") return node;
  const left = withoutApprovals(node.left);
  const right = withoutApprovals(node.right);
  if (node.op === "&&") return isFalse(left) || isFalse(right) ? { op: "literal", value: false } : { op: "&&", left, right };
  if (isFalse(left)) return right;
  return isFalse(right) ? left : { op: "||", left, right };
}

function isFalse(node: Expression): boolean {
  return node.op === "literal" && node.value === false;
}

function whyNever(policies: readonly CompiledPolicy[], known: Known, request: PolicyRequest): string {
  const stops = policies.filter(
    ({ rule, conditions }) => rule.kind === "stop" && !rule.shadow && whenItApplies(conditions, known) === "always",
  );
  if (stops.length > 0) return stops.map(({ rule }) => `${rule.reason ?? "stopped"} (${rule.id}, ${rule.source})`).join("; ");
  return `no policy permits ${request.tool} to ${request.agent} in ${request.queue ?? request.environment}`;
}
