import type { Context, Entities, PolicyJson, SchemaJson, TypeAndId } from "@cedar-policy/cedar-wasm/nodejs";
import type { Evaluation } from "@remit/core";
import { createBoundedCache } from "./bounded-cache.ts";
import type { Cedar } from "./compile.ts";

/** Policies and the schema of the question that they answer. `key` names both: the same key, the same content. */
export type PreparedSet = { key: string; policies: () => Record<string, PolicyJson>; schema: () => SchemaJson<string> };
export type CedarQuestion = { principal: TypeAndId; action: TypeAndId; resource: TypeAndId; context: Context; entities: Entities };

/** Cedar cannot answer, or not this question. Always a denial. */
export class CedarFailure extends Error {}

export type CedarEvaluator = { evaluate(set: PreparedSet, question: CedarQuestion): Evaluation };

/**
 * One instance of Cedar in this thread. Prepared sets are never freed by Cedar, so a bounded number of ids is used again and again;
 * an instance that traps is replaced, and everything is prepared anew in it.
 */
export function createCedarEvaluator(options: { load: () => Cedar; slots: number }): CedarEvaluator {
  let cedar: Cedar | null = null;
  let free: string[] = [];
  const slots = createBoundedCache<string>(options.slots, (slot) => free.push(slot));
  let made = 0;

  function renew(): void {
    cedar = null;
    slots.clear();
    free = [];
    made = 0;
  }

  function slotOf(instance: Cedar, set: PreparedSet): string {
    const known = slots.get(set.key);
    if (known !== undefined) return known;
    const slot = free.pop() ?? `slot${(made += 1)}`;
    const prepared = instance.preparsePolicySet(slot, { staticPolicies: set.policies() });
    const schema = prepared.type === "success" ? instance.preparseSchema(slot, set.schema()) : prepared;
    if (schema.type === "failure") {
      free.push(slot);
      throw new CedarFailure(schema.errors.map((error) => error.message).join("; "));
    }
    slots.set(set.key, slot);
    return slot;
  }

  function attempt(set: PreparedSet, question: CedarQuestion): Evaluation {
    cedar ??= options.load();
    const slot = slotOf(cedar, set);
    // Schema and validation always: without them an argument shaped like {"__extn": …} makes a forbid err, and Cedar skips what errs.
    const answer = cedar.statefulIsAuthorized({
      ...question,
      preparsedPolicySetId: slot,
      preparsedSchemaName: slot,
      validateRequest: true,
    });
    if (answer.type === "failure") throw new CedarFailure(answer.errors.map((error) => error.message).join("; "));
    const { reason, errors } = answer.response.diagnostics;
    return { satisfied: reason.sort(), errors: errors.map(({ policyId, error }) => ({ policy: policyId, message: error.message })) };
  }

  return {
    evaluate(set, question) {
      try {
        return attempt(set, question);
      } catch (error) {
        if (error instanceof CedarFailure) throw error;
        // Anything else is a trap, after which the instance fails every call. Once more in a new one; a second trap is this question's own.
        renew();
        try {
          return attempt(set, question);
        } catch (again) {
          if (again instanceof CedarFailure) throw again;
          renew();
          throw new CedarFailure(`Cedar failed: ${again instanceof Error ? again.message : String(again)}`);
        }
      }
    },
  };
}
