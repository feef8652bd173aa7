import { RemitError } from "@remit/contract";
import type { AgentAbilities, PolicyExplanation, PolicyQuestion, PolicyTestReport } from "@remit/contract";
import { assembleRegistry } from "@remit/core";
import type { PinnedTool, Registry } from "@remit/core";
import { parseFiles } from "../registry/parse-files.ts";
import type { PolicyTestFile } from "../registry/parse-files.ts";
import { hashText, isTimeZone } from "../registry/registry-hash.ts";
import { abilities } from "./abilities.ts";
import { createBoundedCache } from "./bounded-cache.ts";
import { createCedarEvaluator } from "./cedar-evaluator.ts";
import { loadCedar } from "./cedar-module.ts";
import type { Finding } from "./compiled-policy.ts";
import { explain } from "./explain.ts";
import { inWorker } from "./in-worker.ts";
import type { PolicyTestAnswer, PolicyTestOrder } from "./policy-tests.ts";
import { preparedOrThrow, prepareRegistry } from "./prepared-registry.ts";
import type { PreparedRegistry } from "./prepared-registry.ts";

/** What people who write policies ask. Nothing here decides anything; it needs a registry, no server. */
export type PolicyWorkbench = {
  /** Everything that is wrong or doubtful, errors first. */
  lint(registry: Registry): Promise<Finding[]>;
  /** @throws RemitError `invalid-configuration` when the policies or a test file cannot be read */
  test(registry: Registry, files: readonly PolicyTestFile[]): Promise<PolicyTestReport>;
  /** @throws RemitError `invalid-request` | `invalid-configuration` */
  explain(registry: Registry, question: PolicyQuestion): Promise<PolicyExplanation>;
  /** @throws RemitError `not-found` | `invalid-request` | `invalid-configuration` */
  can(registry: Registry, agent: string, chosen?: { policy?: string | undefined }): Promise<AgentAbilities>;
};

const severities = ["error", "warning", "note"];
const testTimeoutMs = 120_000;

export function createPolicyWorkbench(): PolicyWorkbench {
  const evaluator = createCedarEvaluator({ load: loadCedar, slots: 64 });
  const prepared = createBoundedCache<PreparedRegistry>(2);

  async function open(registry: Registry): Promise<PreparedRegistry> {
    const before = prepared.get(registry.digest);
    if (before !== undefined) return before;
    const opened = preparedOrThrow(await prepareRegistry(registry, evaluator));
    prepared.set(registry.digest, opened);
    return opened;
  }

  return {
    async lint(registry) {
      const { findings } = await prepareRegistry(registry, evaluator);
      return findings.toSorted(
        (left, right) =>
          severities.indexOf(left.severity) - severities.indexOf(right.severity) ||
          (left.file ?? "").localeCompare(right.file ?? "") ||
          (left.line ?? 0) - (right.line ?? 0),
      );
    },
    async test(registry, files) {
      const order: PolicyTestOrder = { registry, files };
      const answer = await inWorker<PolicyTestAnswer>("policy-tests", order, testTimeoutMs);
      if (answer.type === "refused") throw new RemitError("invalid-configuration", answer.message, { issues: answer.issues });
      return answer.report;
    },
    explain: async (registry, question) => explain(await open(registry), question),
    can: async (registry, agent, chosen) => abilities(await open(registry), agent, chosen),
  };
}

/**
 * The registry that these files describe, with what was accepted of the tools in `before`, and the files of tests beside its policies.
 * Nothing can be said of calls to a tool that is in neither `before` nor `pins`.
 * @throws RemitError `invalid-configuration`
 */
export function registryOfFiles(
  files: Readonly<Record<string, string>>,
  before: Registry | null,
  pins: ReadonlyMap<string, PinnedTool> = new Map([...(before?.tools ?? [])].map(([name, { pin, state }]) => [name, { pin, state }])),
): { registry: Registry; policyTests: PolicyTestFile[] } {
  const parsed = parseFiles(files);
  const assembled = parsed.type === "issues" ? parsed : assembleRegistry(parsed.documents, { pins, before, hash: hashText, isTimeZone });
  if (parsed.type === "issues" || assembled.type === "issues") {
    const { issues } = assembled.type === "issues" ? assembled : { issues: [] };
    throw new RemitError("invalid-configuration", issues[0]?.message ?? "The files are no registry.", { issues });
  }
  return { registry: assembled.registry, policyTests: parsed.policyTests };
}
