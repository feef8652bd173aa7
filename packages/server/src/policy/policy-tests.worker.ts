import { parentPort } from "node:worker_threads";
import { RemitError } from "@remit/contract";
import { createCedarEvaluator } from "./cedar-evaluator.ts";
import { loadCedar } from "./cedar-module.ts";
import { runPolicyTests } from "./policy-tests.ts";
import type { PolicyTestAnswer, PolicyTestOrder } from "./policy-tests.ts";
import { preparedOrThrow, prepareRegistry } from "./prepared-registry.ts";

async function answer({ registry, files }: PolicyTestOrder): Promise<PolicyTestAnswer> {
  try {
    const prepared = preparedOrThrow(await prepareRegistry(registry, createCedarEvaluator({ load: loadCedar, slots: 64 })));
    return { type: "report", report: runPolicyTests(prepared, files) };
  } catch (error) {
    // The class of an error does not cross from a worker; what it says does.
    if (RemitError.is(error)) return { type: "refused", message: error.message, issues: [...error.issues] };
    throw error;
  }
}

parentPort?.on("message", (order: PolicyTestOrder) => void answer(order).then((said) => parentPort?.postMessage(said, [])));
