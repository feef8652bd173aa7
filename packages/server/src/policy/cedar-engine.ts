import type { Decision } from "@remit/contract";
import type { Registry } from "@remit/core";
import { createBoundedCache } from "./bounded-cache.ts";
import { createCedarEvaluator } from "./cedar-evaluator.ts";
import { loadCedar } from "./cedar-module.ts";
import type { Cedar } from "./compile.ts";
import type { PolicyEngine } from "./policy-engine.ts";
import { preparedOrThrow, prepareRegistry } from "./prepared-registry.ts";
import type { PolicyDifference } from "./policy-set.ts";
import type { PreparedRegistry } from "./prepared-registry.ts";

export type CedarEngineOptions = {
  /** Where instances of Cedar come from. */
  load?: () => Cedar;
  /** How many prepared slices an instance of Cedar keeps. */
  slots?: number;
  /** Where Cedar and what is evaluated without it differ. The call was denied. */
  onDifference?: (difference: PolicyDifference) => void;
};

/** Registries that stay prepared: the one in force, the one that comes, and those that calls in flight were decided under. */
const maxPrepared = 4;

/** Policy by Cedar, in this process. */
export function createCedarEngine(options: CedarEngineOptions = {}): PolicyEngine {
  const evaluator = createCedarEvaluator({ load: options.load ?? loadCedar, slots: options.slots ?? 512 });
  const prepared = createBoundedCache<PreparedRegistry>(maxPrepared);
  const preparing = new Map<string, Promise<PreparedRegistry>>();

  async function prepare(registry: Registry): Promise<void> {
    if (prepared.get(registry.digest) !== undefined) return;
    const under = preparing.get(registry.digest) ?? prepareRegistry(registry, evaluator, options.onDifference);
    preparing.set(registry.digest, under);
    try {
      prepared.set(registry.digest, preparedOrThrow(await under));
    } finally {
      preparing.delete(registry.digest);
    }
  }

  return {
    decide(registry, policy, request) {
      const set = prepared.get(registry.digest)?.sets.get(policy);
      return set === undefined ? missing(policy) : set.decide(request);
    },
    couldAllow(registry, policy, request) {
      return prepared.get(registry.digest)?.sets.get(policy)?.couldAllow(request) ?? false;
    },
    prepare,
  };
}

function missing(policy: string): Decision {
  return { type: "deny", code: "policy-missing", reason: `The policy set ${policy} is not in force.`, policies: [], shadow: [] };
}
