import { RemitError } from "@remit/contract";
import type { Issue } from "@remit/contract";
import type { Registry } from "@remit/core";
import type { CedarEvaluator } from "./cedar-evaluator.ts";
import { compileInWorker } from "./compile-in-worker.ts";
import type { CompiledSet, CompileResult, Finding } from "./compiled-policy.ts";
import { createPolicySet } from "./policy-set.ts";
import type { PolicyDifference, PolicySet } from "./policy-set.ts";
import { vocabularyOf } from "./vocabulary.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** A registry's policies, compiled. With an error among the findings it has no sets. */
export type PreparedRegistry = {
  registry: Registry;
  vocabulary: Vocabulary;
  sets: ReadonlyMap<string, PolicySet>;
  findings: readonly Finding[];
  /** Another set over the same words; `digest` names it among all that were ever prepared. */
  open(set: CompiledSet, digest: string): PolicySet;
};

export async function prepareRegistry(
  registry: Registry,
  evaluator: CedarEvaluator,
  onDifference?: (difference: PolicyDifference) => void,
): Promise<PreparedRegistry> {
  const vocabulary = vocabularyOf(registry);
  const guard = registry.organisation.guard ?? null;
  const findings: Finding[] = [];
  if (guard !== null && !registry.policies.has(guard))
    findings.push({ severity: "error", file: "remit.yaml", message: `The guard ${guard} is not a registered policy set.` });
  const compiled: CompileResult = await compileInWorker({
    vocabulary,
    guard,
    sets: [...registry.policies].map(([name, policy]) => ({ name, sources: policy.sources })),
  });
  findings.push(...compiled.findings);
  const open = (set: CompiledSet, digest: string = registry.digest) =>
    createPolicySet({ compiled: set, vocabulary, digest, evaluator, onDifference });
  if (findings.some((finding) => finding.severity === "error")) return { registry, vocabulary, sets: new Map(), findings, open };
  return { registry, vocabulary, sets: new Map(compiled.sets.map((set) => [set.name, open(set)])), findings, open };
}

/** @throws RemitError `invalid-configuration` with every error among the findings */
export function preparedOrThrow(prepared: PreparedRegistry): PreparedRegistry {
  const errors = prepared.findings.filter((finding) => finding.severity === "error");
  if (errors.length > 0) throw refused(errors);
  return prepared;
}

function refused(errors: readonly Finding[]): RemitError {
  const issues = errors.map(({ severity: _severity, policy: _policy, ...issue }): Issue => issue);
  const first = issues[0];
  const where = first?.file === undefined ? "" : `${first.file}:${first.line ?? 1}: `;
  const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : "";
  return new RemitError("invalid-configuration", `The policies cannot come into force. ${where}${first?.message ?? ""}${more}`, { issues });
}
