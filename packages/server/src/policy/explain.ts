import type { PolicyExplanation, PolicyQuestion } from "@remit/contract";
import type { PolicyRequest } from "@remit/core";
import { conditionsOf, entityKey, scopeHolds } from "./cedar-expression.ts";
import type { Scope } from "./cedar-expression.ts";
import type { CompiledPolicy } from "./compiled-policy.ts";
import { operandsOf } from "./condition-json.ts";
import { conditionWords, negated } from "./condition-words.ts";
import { judge, requestOf } from "./policy-question.ts";
import type { PolicySet } from "./policy-set.ts";
import type { PreparedRegistry } from "./prepared-registry.ts";
import type { Known } from "./residual.ts";
import { smallestChanges } from "./smallest-changes.ts";

/**
 * Why a call would be decided as it would: every policy that concerns it, condition by condition, and what single change would turn it.
 * @throws RemitError `invalid-request`
 */
export function explain(prepared: PreparedRegistry, question: PolicyQuestion): PolicyExplanation {
  const { policy, request } = requestOf(prepared.registry, question);
  const decision = judge(prepared, policy, request);
  const set = prepared.sets.get(policy);
  const slice = set?.slice(request) ?? null;
  return {
    verdict: decision.type,
    code: decision.type === "deny" ? decision.code : null,
    reason: decision.type === "deny" ? decision.reason : null,
    approvals: decision.type === "require-approval" ? decision.approvals.map(({ team }) => team) : [],
    obligations: decision.type === "deny" ? [] : decision.obligations.map(({ type }) => type),
    determining: decision.policies,
    policies: set === undefined || slice === null ? [] : explainPolicies(set, slice.policies, request),
    near: set === undefined || slice === null ? [] : nearGrants(set, slice.policies, slice.known),
    changes: smallestChanges(prepared, policy, request, decision),
  };
}

type Part = PolicyExplanation["policies"][number]["conditions"][number];

function explainPolicies(set: PolicySet, policies: readonly CompiledPolicy[], request: PolicyRequest): PolicyExplanation["policies"] {
  // `unless (a or b)` is `unless a` and `unless b`: each part of a condition is asked about by itself.
  const parts = policies.flatMap((policy, number) =>
    policy.json.conditions.flatMap(({ kind, body }) =>
      operandsOf(body, kind === "when" ? "&&" : "||").map((json) => ({ number, kind, json })),
    ),
  );
  const found = set.probe(request, new Map(parts.map(({ json }, index) => [`c${index}`, json])));
  const answers = parts.map(({ number, kind, json }, index) => {
    const [condition] = conditionsOf({ effect: "permit", ...anyone, conditions: [{ kind: "when", body: json }] });
    const words = condition === undefined ? "" : kind === "when" ? conditionWords(condition.body) : negated(condition.body);
    const satisfied = found?.satisfied.includes(`c${index}`) === true;
    const erred = found === null || found.errors.some((error) => error.policy === `c${index}`);
    const holds: Part["holds"] = erred ? "error" : satisfied === (kind === "when") ? "yes" : "no";
    return { number, part: { text: words, holds } };
  });
  const decided = decidedOf(set, request);
  return policies.map(({ rule }, number) => ({
    id: rule.id,
    source: rule.source,
    kind: rule.kind,
    shadow: rule.shadow,
    applies: decided(rule.id),
    conditions: answers.filter((answer) => answer.number === number).map(({ part }) => part),
  }));
}

/** Whether whole policies apply, as the decision saw it: a condition that errs by itself may be guarded by the one before it. */
function decidedOf(set: PolicySet, request: PolicyRequest): (id: string) => "yes" | "no" | "error" {
  const evaluation = set.evaluate(request);
  if (evaluation === null) return () => "error";
  return (id) => {
    if (evaluation.errors.some((error) => error.policy === id)) return "error";
    return evaluation.satisfied.includes(id) ? "yes" : "no";
  };
}

/** Grants that name this tool and another agent or place. */
function nearGrants(set: PolicySet, slice: readonly CompiledPolicy[], known: Known): PolicyExplanation["near"] {
  const ancestors = (part: "principal" | "action" | "resource") => known.ancestors.get(entityKey(known[part])) ?? new Set<string>();
  return set.compiled.policies
    .filter((policy) => policy.rule.kind === "grant" && !policy.rule.shadow && !slice.includes(policy))
    .filter((policy) => policy.action.within !== null && scopeHolds(policy.action, known.action, ancestors("action")))
    .map((policy) => {
      const misses = (["principal", "resource"] as const).filter((part) => !scopeHolds(policy[part], known[part], ancestors(part)));
      const words = misses.map((part) => `it is for ${scopeWords(policy[part])}, and this is ${known[part].id}`);
      return { id: policy.rule.id, source: policy.rule.source, text: words.join("; ") };
    });
}

function scopeWords(scope: Scope): string {
  const kind = (type: string) => type.replace("Remit::", "").replace("EnvironmentType", "type").toLowerCase();
  if (scope.within === null) return `every ${kind(scope.type ?? "one")}`;
  return scope.within.map((entity) => `${kind(entity.type)} ${entity.id}`).join(" or ");
}

const anyone = { principal: { op: "All" }, action: { op: "All" }, resource: { op: "All" } } as const;
