import { policyTestFileSchema, RemitError } from "@remit/contract";
import type { Decision, Issue, PolicyCase, PolicyTestReport } from "@remit/contract";
import { issueAt } from "@remit/core";
import type { Registry } from "@remit/core";
import type { PolicyTestFile } from "../registry/parse-files.ts";
import { shapeIssues } from "../registry/shape-issues.ts";
import { readYaml } from "../registry/strict-yaml.ts";
import type { CompiledSet } from "./compiled-policy.ts";
import { mutantsOf } from "./mutants.ts";
import { judge, requestOf } from "./policy-question.ts";
import type { PreparedRegistry } from "./prepared-registry.ts";

/** What is sent to the worker that runs tests, and what it sends back. */
export type PolicyTestOrder = { registry: Registry; files: readonly PolicyTestFile[] };
export type PolicyTestAnswer = { type: "report"; report: PolicyTestReport } | { type: "refused"; message: string; issues: Issue[] };

type Case = { set: string; file: string; line: number; test: PolicyCase };

/** More changes than this are not tried: the score is then of the first ones. */
const maxMutants = 2_000;

/**
 * Runs the cases of these files against the registry's policies, and then against the policies with one small thing changed at a time.
 * @throws RemitError `invalid-configuration` when a file is not what a test file must be
 */
export function runPolicyTests(prepared: PreparedRegistry, files: readonly PolicyTestFile[]): PolicyTestReport {
  const cases = files.flatMap((file) => readCases(file));
  const outcomes = cases.map((one) => {
    const differences = differencesOf(prepared, one);
    return { policy: one.set, file: one.file, line: one.line, name: one.test.name, ok: differences.length === 0, differences };
  });
  const passed = outcomes.filter(({ ok }) => ok).length;
  const sound = cases.filter((_one, index) => outcomes[index]?.ok === true);
  return { passed, failed: outcomes.length - passed, cases: outcomes, mutation: mutationOf(prepared, sound) };
}

function readCases({ policy, file, text }: PolicyTestFile): Case[] {
  const { documents, issues } = readYaml(file, text);
  if (issues.length > 0) throw refuse(issues);
  return documents.flatMap(({ value, place }) => {
    const parsed = policyTestFileSchema.safeParse(value);
    if (!parsed.success)
      throw refuse(shapeIssues(parsed.error, policyTestFileSchema, value).map(({ pointer, message }) => issueAt(place, pointer, message)));
    return parsed.data.cases.map((test, index) => ({ set: policy, file, line: place.line(`/cases/${index}`) ?? 1, test }));
  });
}

function differencesOf(prepared: PreparedRegistry, { set, test }: Case): string[] {
  try {
    const { expect, name: _name, ...question } = test;
    const { policy, request } = requestOf(prepared.registry, { ...question, policy: question.policy ?? set });
    return compare(expect, judge(prepared, policy, request));
  } catch (error) {
    if (RemitError.is(error)) return error.issues.map((issue) => issue.message);
    throw error;
  }
}

function compare(expected: PolicyCase["expect"], decision: Decision): string[] {
  const found = {
    verdict: decision.type,
    code: decision.type === "deny" ? decision.code : "none",
    approvals: decision.type === "require-approval" ? decision.approvals.map(({ team }) => team) : [],
    policies: decision.policies,
    obligations: decision.type === "deny" ? [] : decision.obligations.map(({ type }) => type),
    shadow: decision.shadow.map(({ policy }) => policy),
  };
  const differences = (["verdict", "code", "approvals", "policies", "obligations", "shadow"] as const).flatMap((what) => {
    const wanted = expected[what];
    if (wanted === undefined || words(wanted) === words(found[what])) return [];
    return [`${what}: expected ${words(wanted)}, got ${words(found[what])}`];
  });
  if (differences.length > 0 && decision.type === "deny") differences.push(`because: ${decision.reason}`);
  return differences;
}

function words(value: string | readonly string[]): string {
  return typeof value === "string" ? value : `[${[...value].sort().join(", ")}]`;
}

/** Which small changes of the policies the cases notice. A shadow decides nothing, so nothing can be noticed of it but its report. */
function mutationOf(prepared: PreparedRegistry, cases: readonly Case[]): PolicyTestReport["mutation"] {
  const mutation: PolicyTestReport["mutation"] = { changes: 0, noticed: 0, survivors: [] };
  const sets = new Set(cases.map(({ set }) => set));
  for (const name of sets) {
    const set = prepared.sets.get(name);
    if (set === undefined) continue;
    const own = cases.filter((one) => one.set === name);
    for (const policy of set.compiled.policies.filter((one) => !one.guard && !one.rule.shadow)) {
      for (const mutant of mutantsOf(policy)) {
        if (mutation.changes >= maxMutants) return mutation;
        mutation.changes += 1;
        const policies = set.compiled.policies.flatMap((one) => (one === policy ? (mutant.changed ?? []) : one));
        if (isNoticed(prepared, { ...set.compiled, policies }, own, `${policy.rule.id}/${mutant.number}`)) mutation.noticed += 1;
        else mutation.survivors.push({ policy: policy.rule.id, source: policy.rule.source, change: mutant.change });
      }
    }
  }
  return mutation;
}

function isNoticed(prepared: PreparedRegistry, changed: CompiledSet, cases: readonly Case[], name: string): boolean {
  const set = prepared.open(changed, `${prepared.registry.digest}/mutant/${name}`);
  const mutated = { ...prepared, sets: new Map([...prepared.sets, [changed.name, set]]) };
  return cases.some((one) => differencesOf(mutated, one).length > 0);
}

function refuse(issues: readonly Issue[]): RemitError {
  const first = issues[0];
  return new RemitError("invalid-configuration", `${first?.file ?? ""}:${first?.line ?? 1}: ${first?.message ?? "not a test file"}`, {
    issues,
  });
}
