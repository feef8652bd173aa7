import type { Registry } from "@remit/core";
import type { CedarEvaluator } from "./cedar-evaluator.ts";
import { compileInWorker } from "./compile-in-worker.ts";
import type { CompileResult, Finding } from "./compiled-policy.ts";
import { createPolicySet } from "./policy-set.ts";
import type { PolicySet } from "./policy-set.ts";
import { vocabularyOf } from "./vocabulary.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** A registry's policies, compiled. With an error among the findings it has no sets. */
export type PreparedRegistry = { vocabulary: Vocabulary; sets: ReadonlyMap<string, PolicySet>; findings: readonly Finding[] };

export async function prepareRegistry(registry: Registry, evaluator: CedarEvaluator): Promise<PreparedRegistry> {
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
  if (findings.some((finding) => finding.severity === "error")) return { vocabulary, sets: new Map(), findings };
  const sets = compiled.sets.map(
    (set) => [set.name, createPolicySet({ compiled: set, vocabulary, digest: registry.digest, evaluator })] as const,
  );
  return { vocabulary, sets: new Map(sets), findings };
}
