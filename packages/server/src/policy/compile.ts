import type * as CedarModule from "@cedar-policy/cedar-wasm/nodejs";
import type { DetailedError, PolicyJson } from "@cedar-policy/cedar-wasm/nodejs";
import { durationSchema, obligationSchema } from "@remit/contract";
import type { PolicyRule } from "@remit/core";
import { approvalUse } from "./approval-use.ts";
import { conditionsOf, depthOf, everyNode, scopeOf } from "./cedar-expression.ts";
import { wholeSchema } from "./cedar-schema.ts";
import { splitPolicies } from "./cedar-text.ts";
import { balanced } from "./condition-json.ts";
import type { Statement } from "./cedar-text.ts";
import type { CompiledPolicy, CompileRequest, CompileResult, CompiledSet, Finding, SetSources } from "./compiled-policy.ts";
import { addReads, noReads } from "./reads.ts";
import { isUnpinned, remarks } from "./remarks.ts";

export type Cedar = typeof CedarModule;

const maxPolicies = 10_000;
/** Cedar's JSON reader stops at 128 levels, about three for each of these. */
const maxExpressionDepth = 40;
const obligationTypes = new Set<string>(obligationSchema.options.map((option) => option.shape.type.value));
const annotationNames = new Set(["id", "reason", "description", "approval", "approval_ttl", "mode", "obligation", "params"]);

/** Parses, checks and validates policy sets. Only ever called in a worker, with an instance of Cedar of its own, which what it is given may corrupt. */
export function compile(cedar: Cedar, request: CompileRequest): CompileResult {
  const findings: Finding[] = [];
  try {
    return { sets: compileSets(cedar, request, findings), findings };
  } catch (error) {
    if (!(error instanceof Trapped)) throw error;
    return { sets: [], findings: [...findings, error.finding] };
  }
}

/** Cedar's instance is gone; nothing more can be said of these policies. */
class Trapped extends Error {
  readonly finding: Finding;
  constructor(finding: Finding) {
    super(finding.message);
    this.finding = finding;
  }
}

function compileSets(cedar: Cedar, request: CompileRequest, findings: Finding[]): CompiledSet[] {
  const guardSources = request.sets.find((set) => set.name === request.guard);
  const guard = guardSources === undefined ? [] : compileSources(cedar, guardSources, true, findings);
  const sets: CompiledSet[] = [];
  const everything: CompiledPolicy[] = [...guard];
  for (const set of request.sets) {
    if (set.name === request.guard) {
      sets.push({ name: set.name, policies: guard });
      continue;
    }
    const own = compileSources(cedar, set, false, findings);
    everything.push(...own);
    sets.push({ name: set.name, policies: [...guard, ...own] });
  }
  for (const set of sets) checkIds(set, request.guard, findings);
  // Validation needs every name to be unique, and every set must be right by itself: one batch a set, the guard once.
  const schema = wholeSchema(request.vocabulary);
  for (const set of sets) {
    const batch = set.name === request.guard ? set.policies : set.policies.filter((policy) => !policy.guard);
    validate(cedar, schema, batch, request, findings);
  }
  for (const policy of everything) findings.push(...remarks(policy, request.vocabulary));
  return sets;
}

function compileSources(cedar: Cedar, set: SetSources, guard: boolean, findings: Finding[]): CompiledPolicy[] {
  const policies: CompiledPolicy[] = [];
  for (const source of set.sources) {
    const { statements, issues } = splitPolicies(source.file, source.text);
    findings.push(...issues.map((issue) => ({ ...issue, severity: "error" as const })));
    for (const statement of statements) {
      if (policies.length >= maxPolicies) {
        findings.push({
          severity: "error",
          file: source.file,
          line: statement.line,
          message: `A set holds at most ${maxPolicies} policies.`,
        });
        return policies;
      }
      try {
        const policy = compileStatement(cedar, source.file, statement, guard, findings);
        if (policy !== null) policies.push(policy);
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        throw new Trapped({
          severity: "error",
          file: source.file,
          line: statement.line,
          message: `Cedar could not take this policy: ${why}.`,
        });
      }
    }
  }
  return policies;
}

function compileStatement(cedar: Cedar, file: string, statement: Statement, guard: boolean, findings: Finding[]): CompiledPolicy | null {
  const refuse = (message: string, line = statement.line): null => {
    findings.push({ severity: "error", file, line, message });
    return null;
  };
  const parsed = cedar.policyToJson(statement.text);
  if (parsed.type === "failure") {
    const error = parsed.errors[0];
    return refuse(errorWords(error), lineOf(statement, error));
  }
  const json = { ...parsed.json, conditions: parsed.json.conditions.map(({ kind, body }) => ({ kind, body: balanced(body) })) };
  const annotations = new Map(Object.entries(json.annotations ?? {}).map(([name, value]) => [name, (value as string | null) ?? ""]));
  const conditions = conditionsOf(json);
  if (conditions.some((condition) => depthOf(condition.body) > maxExpressionDepth))
    return refuse(`A condition is nested deeper than ${maxExpressionDepth}; write it flatter, or as several policies.`);
  let inexact = false;
  for (const condition of conditions)
    everyNode(condition.body, (node) => {
      inexact ||= node.op === "literal" && typeof node.value === "number" && !Number.isSafeInteger(node.value);
    });
  if (inexact) return refuse("A number lies beyond ±(2^53 - 1), which no argument can hold.");

  const id = annotations.get("id") ?? "";
  if (!/^[\w.:-]{1,128}$/.test(id)) return refuse('Every policy needs @id("…") of letters, digits, _ - . and :, at most 128 of them.');
  const rule = ruleOf(json, annotations, { id, source: `${file}:${statement.line}` }, file);
  if (typeof rule === "string") return refuse(`${id}: ${rule}`);
  const approvals = approvalUse(conditions);
  const misuse = approvalMisuse(rule, approvals);
  if (misuse !== null) return refuse(`${id}: ${misuse}`);
  if (guard && rule.kind === "grant")
    return refuse(`${id}: the guard holds gates, stops and obligations; a permit in it would grant to everyone.`);

  const reads = noReads();
  for (const condition of conditions) addReads(reads, condition.body);
  const { principal, action, resource } = json;
  const evaluated: PolicyJson = { effect: "permit", principal, action, resource, conditions: json.conditions };
  const trial = cedar.preparsePolicySet("trial", { staticPolicies: { [id]: evaluated } });
  if (trial.type === "failure") return refuse(`${id}: ${errorWords(trial.errors[0])}`);
  return {
    rule,
    file,
    line: statement.line,
    text: statement.text,
    guard,
    principal: scopeOf(principal),
    action: scopeOf(action),
    resource: scopeOf(resource),
    conditions,
    reads,
    json: evaluated,
  };
}

/** What a policy is, from its effect and annotations; a sentence when they do not make sense together. */
function ruleOf(
  json: PolicyJson,
  annotations: ReadonlyMap<string, string>,
  base: { id: string; source: string },
  file: string,
): PolicyRule | string {
  for (const name of annotations.keys())
    if (!annotationNames.has(name))
      return `the annotation @${name} is not known; there are ${[...annotationNames].map((one) => `@${one}`).join(", ")}`;
  const mode = annotations.get("mode");
  if (mode !== undefined && mode !== "shadow" && mode !== "enforce") return `@mode is "shadow" or "enforce", not ${JSON.stringify(mode)}`;
  const common = { ...base, reason: annotations.get("reason") ?? null, shadow: mode === "shadow" };
  const type = annotations.get("obligation");
  const team = annotations.get("approval");
  const expiresAfter = annotations.get("approval_ttl") ?? null;
  if (expiresAfter !== null && team === undefined) return "@approval_ttl without @approval says nothing";
  if (annotations.has("params") && type === undefined) return "@params belongs to an @obligation";
  if (type === undefined && /(?:^|\/)obligations\.cedar$/.test(file))
    return 'obligations.cedar holds obligations only: @obligation("…") is missing';
  if (type !== undefined) {
    if (json.effect !== "permit") return "an obligation is written as permit: it adds a duty and forbids nothing";
    if (team !== undefined) return "an obligation asks nobody: @approval belongs to a forbid";
    const params = parseParams(annotations.get("params") ?? "{}");
    if (params === null) return '@params must be a JSON object without "type" and "policy"';
    if (!obligationTypes.has(type)) return { ...common, kind: "obligation", type, obligation: null };
    const obligation = obligationSchema.safeParse({ ...params, type, policy: base.id });
    if (!obligation.success)
      return `@params of ${type}: ${obligation.error.issues.map((issue) => `${issue.path.join(".") || "it"}: ${issue.message}`).join("; ")}`;
    return { ...common, kind: "obligation", type, obligation: obligation.data };
  }
  if (json.effect === "permit")
    return team === undefined
      ? { ...common, kind: "grant" }
      : "a permit cannot ask for approval: any broader permit would go round it. Write a forbid with @approval and unless";
  if (team === undefined) return { ...common, kind: "stop" };
  if (expiresAfter !== null && !durationSchema.safeParse(expiresAfter).success)
    return '@approval_ttl must be an ISO 8601 duration such as "PT4H"';
  return { ...common, kind: "gate", team, expiresAfter };
}

function parseParams(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || Array.isArray(value) || "type" in value || "policy" in value) return null;
    return value as Record<string, unknown>;
  } catch {
    return null;
  }
}

function approvalMisuse(rule: PolicyRule, use: ReturnType<typeof approvalUse>): string | null {
  if (rule.kind !== "gate") {
    if (use.misuse === null && use.teams.length === 0) return null;
    return rule.kind === "stop"
      ? 'a forbid that reads context.approvals is a gate and needs @approval("team")'
      : "only a gate may read context.approvals";
  }
  if (use.misuse !== null) return use.misuse;
  if (use.teams.includes(rule.team)) return null;
  return `approval by ${rule.team} would not open it: unless { context.approvals.contains(Remit::Team::${JSON.stringify(rule.team)}) } is missing`;
}

function checkIds(set: CompiledSet, guard: string | null, findings: Finding[]): void {
  const first = new Map<string, CompiledPolicy>();
  for (const policy of set.policies) {
    const before = first.get(policy.rule.id);
    if (before === undefined) first.set(policy.rule.id, policy);
    else
      findings.push({
        severity: "error",
        file: policy.file,
        line: policy.line,
        policy: policy.rule.id,
        message: `The id ${policy.rule.id} is taken by ${before.rule.source}; ids are unique over a set${guard === null ? "" : ` and the guard ${guard}`}.`,
      });
  }
}

function validate(
  cedar: Cedar,
  schema: ReturnType<typeof wholeSchema>,
  policies: readonly CompiledPolicy[],
  request: CompileRequest,
  findings: Finding[],
): void {
  const byId = new Map(policies.map((policy) => [policy.rule.id, policy]));
  if (byId.size === 0) return;
  const staticPolicies = Object.fromEntries([...byId].map(([id, policy]) => [id, policy.text]));
  const answer = cedar.validate({ schema, policies: { staticPolicies }, validationSettings: { mode: "strict" } });
  if (answer.type === "failure") {
    findings.push({ severity: "error", message: `Cedar refused the schema of the tools: ${answer.errors.map(errorWords).join("; ")}` });
    return;
  }
  const report = (severity: "error" | "warning") => (found: { policyId: string; error: DetailedError }) => {
    const policy = byId.get(found.policyId);
    if (policy === undefined) return;
    // Of calls to a tool whose schema is not pinned Cedar knows none, and so would call every policy of it impossible. `remarks` says why.
    if (severity === "warning" && isUnpinned(policy, request.vocabulary)) return;
    const words = errorWords(found.error).replace(`for policy \`${found.policyId}\`, `, "");
    const line = lineOf(policy, found.error);
    findings.push({
      severity,
      file: policy.file,
      line,
      policy: found.policyId,
      message: `${found.policyId}: ${words}${leftOutWords(policy, request)}`,
    });
  };
  answer.validationErrors.forEach(report("error"));
  answer.validationWarnings.forEach(report("warning"));
}

/** Why a member that the policy reads is not there to be read. */
function leftOutWords(policy: CompiledPolicy, request: CompileRequest): string {
  const words = new Set<string>();
  for (const tool of request.vocabulary.tools.values())
    for (const { path, why } of tool.leftOut) {
      let here = policy.reads.members.get("input");
      for (const name of path) here = here?.members.get(name);
      if (here !== undefined) words.add(`${path.join(".")} of ${tool.name} cannot be read by policies: ${why}`);
    }
  return words.size === 0 ? "" : ` (${[...words].join("; ")})`;
}

function errorWords(error: DetailedError | undefined): string {
  if (error === undefined) return "Cedar gave no reason";
  const label = error.sourceLocations?.find((location) => location.label !== null)?.label;
  const message = error.message.replace("failed to parse policy from string: ", "");
  return [message, ...(label === null || label === undefined ? [] : [label]), ...(error.help === null ? [] : [error.help])].join("; ");
}

/** Cedar gives byte offsets into the text of the one policy. */
function lineOf(statement: Statement, error: DetailedError | undefined): number {
  const offset = error?.sourceLocations?.[0]?.start ?? 0;
  return statement.line + (Buffer.from(statement.text).subarray(0, offset).toString().match(/\n/g)?.length ?? 0);
}
