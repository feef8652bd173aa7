import type { Decision, Json, JsonObject, PolicyExplanation } from "@remit/contract";
import type { PolicyRequest } from "@remit/core";
import { contextPath, everyNode } from "./cedar-expression.ts";
import type { Expression } from "./cedar-expression.ts";
import { judge } from "./policy-question.ts";
import type { PreparedRegistry } from "./prepared-registry.ts";
import { weekdays } from "./vocabulary.ts";

type Change = {
  words: string;
  request: PolicyRequest;
  /** What it changes, and by how much: the smallest of each is shown. */ of: string;
  size: number;
};

const maxTried = 400;
const rank = { deny: 0, "require-approval": 1, allow: 2 } as const;

/** Single changes of the question that would turn the verdict: for the better, or, of what is allowed, for the worse. Each is tried. */
export function smallestChanges(
  prepared: PreparedRegistry,
  policy: string,
  request: PolicyRequest,
  decision: Decision,
): PolicyExplanation["changes"] {
  const now = rank[decision.type];
  const best = new Map<string, Change & { verdict: Decision["type"] }>();
  for (const change of candidates(prepared, policy, request).slice(0, maxTried)) {
    const verdict = judge(prepared, policy, change.request).type;
    const turned = decision.type === "allow" ? rank[verdict] < now : rank[verdict] > now;
    const before = best.get(change.of);
    if (turned && (before === undefined || change.size < before.size)) best.set(change.of, { ...change, verdict });
  }
  return [...best.values()].map(({ words, verdict }) => ({ change: words, verdict }));
}

function candidates(prepared: PreparedRegistry, policy: string, request: PolicyRequest): Change[] {
  const { vocabulary, registry } = prepared;
  const set = prepared.sets.get(policy);
  const changes: Change[] = [];
  const add = (of: string, words: string, changed: Partial<PolicyRequest>, size = 1) =>
    changes.push({ of, words, request: { ...request, ...changed }, size });

  for (const team of vocabulary.teams)
    if (!request.approvals.includes(team)) add(`team ${team}`, `${team} approves it`, { approvals: [...request.approvals, team] });
  const roles = new Set([...vocabulary.agents.values()].flat());
  for (const role of roles)
    if (!request.roles.includes(role)) add("role", `the agent has the role ${role}`, { roles: [...request.roles, role] });
  for (const queue of vocabulary.queues) if (queue !== request.queue) add("queue", `it works on the queue ${queue}`, { queue });
  for (const environment of registry.environments.values())
    if (environment.name !== request.environment)
      add("environment", `it is in ${environment.name}`, { environment: environment.name, environmentType: environment.type });
  for (const tier of [0, 1, 2, 3] as const)
    if (tier > request.tier) add("tier", `the agent has tier ${tier}`, { tier }, tier - request.tier);
  for (const weekday of weekdays)
    if (weekday !== request.facts.weekday) add("weekday", `the weekday is ${weekday}`, { facts: { ...request.facts, weekday } });

  for (const { path, literal } of comparisons(
    set?.slice(request)?.policies.flatMap((one) => one.conditions.map(({ body }) => body)) ?? [],
  )) {
    const [root, ...rest] = path;
    const values: (string | number | boolean)[] = typeof literal === "number" ? [literal - 1, literal, literal + 1] : [literal];
    for (const value of values) {
      const size = typeof value === "number" ? Math.abs(value - numberAt(root === "input" ? request.input : request.facts, rest)) : 1;
      const words = `${root === "facts" ? "the fact " : ""}${rest.join(".")} is ${JSON.stringify(value)}`;
      if (size === 0 || rest.length === 0) continue;
      if (root === "input") add(path.join("."), words, { input: withValue(request.input ?? {}, rest, value) }, size);
      if (root === "facts" && rest[0] !== "weekday")
        add(path.join("."), words, { facts: { ...request.facts, [rest.join(".")]: value } }, size);
    }
  }
  return changes;
}

/** What the conditions compare with a constant, wherever in them; a sum is left to its own boundary on each of its members. */
function comparisons(bodies: readonly Expression[]): { path: string[]; literal: string | number | boolean }[] {
  const found: { path: string[]; literal: string | number | boolean }[] = [];
  const compared = (left: Expression, right: Expression) => {
    const path = contextPath(left);
    if (path !== null && right.op === "literal") found.push({ path, literal: right.value });
  };
  for (const body of bodies)
    everyNode(body, (node) => {
      if (!["==", "!=", "<", "<=", ">", ">="].includes(node.op) || !("left" in node)) return;
      compared(node.left, node.right);
      compared(node.right, node.left);
    });
  return found;
}

function numberAt(value: object | null, path: readonly string[]): number {
  let here: unknown = value;
  for (const name of path) here = typeof here === "object" && here !== null ? (here as Record<string, unknown>)[name] : undefined;
  return typeof here === "number" ? here : Number.NaN;
}

function withValue(input: JsonObject, path: readonly string[], value: Json): JsonObject {
  const [name, ...rest] = path;
  if (name === undefined) return input;
  const inner = input[name];
  const object = typeof inner === "object" && inner !== null && !Array.isArray(inner) ? inner : {};
  return { ...input, [name]: rest.length === 0 ? value : withValue(object, rest, value) };
}
