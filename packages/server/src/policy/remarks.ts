import { contextPath, entityKey, everyNode, scopeHolds } from "./cedar-expression.ts";
import type { Expression, Scope } from "./cedar-expression.ts";
import { effectGroups, upstreamGroup } from "./cedar-schema.ts";
import type { CompiledPolicy, Finding } from "./compiled-policy.ts";
import { pathsOf, pathWords } from "./reads.ts";
import type { RecordType, ValueType } from "./value-type.ts";
import { contextType } from "./vocabulary.ts";
import type { ToolWords, Vocabulary } from "./vocabulary.ts";

/** What is wrong or doubtful about one policy that Cedar's validator does not say. */
export function remarks(policy: CompiledPolicy, vocabulary: Vocabulary): Finding[] {
  const findings: Finding[] = [];
  const say = (severity: Finding["severity"], message: string) =>
    findings.push({ severity, file: policy.file, line: policy.line, policy: policy.rule.id, message: `${policy.rule.id}: ${message}` });
  const tools = toolsOf(policy, vocabulary);

  if (policy.rule.kind === "gate" && !vocabulary.teams.includes(policy.rule.team))
    say("error", `@approval names ${policy.rule.team}, and no team of that name can approve (it needs an approval: block).`);
  if (policy.rule.kind === "obligation" && policy.rule.obligation === null)
    say("warning", `this server cannot meet the obligation ${policy.rule.type}: every call that it matches is denied.`);
  if (policy.rule.shadow) say("note", "is in shadow mode: it decides nothing, and what it would change is recorded.");

  for (const { path, value } of pathsOf(policy.reads))
    if (value && (path.length === 0 || tools.some((tool) => typeAt(contextType(tool), path)?.kind === "record")))
      say("error", `${pathWords(path)} is compared as a whole, and is more than policies can see of it. Read its members.`);
  if (policy.reads.value) say("error", "the whole context is read. Read its members.");

  if (policy.rule.kind === "grant" && policy.principal.within === null && !mentions(policy, "principal"))
    say("warning", 'permits every agent. Name a role: principal in Remit::Role::"…".');
  if (tools.length === 0) say("warning", "applies to no registered tool.");
  else if (isUnpinned(policy, vocabulary)) say("note", "could not be checked against arguments: no schema of its tools is pinned yet.");
  const agents = [...vocabulary.agents].map(([name, roles]) => ({
    self: { type: "Remit::Agent", id: name },
    ancestors: new Set([
      entityKey({ type: "Remit::Agent", id: name }),
      ...roles.map((role) => entityKey({ type: "Remit::Role", id: role })),
    ]),
  }));
  if (!agents.some((agent) => scopeHolds(policy.principal, agent.self, agent.ancestors))) say("warning", "applies to no registered agent.");
  for (const unknown of unknownNames(policy, vocabulary)) say("warning", `${unknown} is not registered.`);
  impossible(policy, tools, say);
  return findings;
}

function toolsOf(policy: CompiledPolicy, vocabulary: Vocabulary): ToolWords[] {
  return [...vocabulary.tools.values()].filter((tool) => scopeHolds(policy.action, actionEntity(tool.name), actionAncestors(tool)));
}

/** It applies to tools, and of none of them is anything known. */
export function isUnpinned(policy: CompiledPolicy, vocabulary: Vocabulary): boolean {
  const tools = toolsOf(policy, vocabulary);
  return tools.length > 0 && tools.every((tool) => tool.input === null);
}

export function actionEntity(tool: string) {
  return { type: "Remit::Action", id: tool };
}

/** Keys of the action and of every group that it is in. */
export function actionAncestors(tool: Pick<ToolWords, "name" | "effect" | "upstream">): Set<string> {
  return new Set([tool.name, ...effectGroups[tool.effect], upstreamGroup(tool.upstream)].map((id) => entityKey(actionEntity(id))));
}

function mentions(policy: CompiledPolicy, variable: string): boolean {
  let found = false;
  for (const condition of policy.conditions)
    everyNode(condition.body, (node) => {
      found ||= node.op === "variable" && node.name === variable;
    });
  return found;
}

function unknownNames(policy: CompiledPolicy, vocabulary: Vocabulary): string[] {
  const known: Record<string, ReadonlySet<string>> = {
    "Remit::Agent": new Set(vocabulary.agents.keys()),
    "Remit::Role": new Set([...vocabulary.agents.values()].flat()),
    "Remit::Queue": new Set(vocabulary.queues),
    "Remit::Environment": new Set(vocabulary.environments),
  };
  const unknown = new Set<string>();
  const check = (entity: { type: string; id: string }) => {
    if (known[entity.type]?.has(entity.id) === false) unknown.add(`${entity.type.replace("Remit::", "")} ${JSON.stringify(entity.id)}`);
  };
  const heads: Scope[] = [policy.principal, policy.resource];
  for (const scope of heads) scope.within?.forEach(check);
  for (const condition of policy.conditions)
    everyNode(condition.body, (node) => {
      if (node.op === "entity") check(node.entity);
    });
  return [...unknown];
}

/** A comparison with a value that can never be there: `weekday == "friday"`. */
function impossible(
  policy: CompiledPolicy,
  tools: readonly ToolWords[],
  say: (severity: Finding["severity"], message: string) => void,
): void {
  const compared = (left: Expression, right: Expression) => {
    const path = contextPath(left);
    if (path === null || right.op !== "literal") return;
    const types = tools.flatMap((tool) => typeAt(contextType(tool), path) ?? []);
    const lists = types.map((type) => ("values" in type ? type.values : null));
    if (lists.length === 0 || !lists.every((values) => values !== null && !values.includes(right.value))) return;
    const values = [...new Set(lists.flatMap((list) => list ?? []))].map((value) => JSON.stringify(value)).join(", ");
    say(path[0] === "input" ? "warning" : "error", `${pathWords(path)} is never ${JSON.stringify(right.value)}; it is one of ${values}.`);
  };
  for (const condition of policy.conditions)
    everyNode(condition.body, (node) => {
      if (node.op !== "==" && node.op !== "!=") return;
      compared(node.left, node.right);
      compared(node.right, node.left);
    });
}

export function typeAt(context: RecordType, path: readonly string[]): ValueType | null {
  let here: ValueType = context;
  for (const name of path) {
    const member: { type: ValueType } | undefined = here.kind === "record" ? here.members.get(name) : undefined;
    if (member === undefined) return null;
    here = member.type;
  }
  return here;
}
