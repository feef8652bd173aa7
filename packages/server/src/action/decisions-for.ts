import type { Caller, Decision, Tier } from "@remit/contract";
import { RemitError } from "@remit/contract";
import type { PolicyRequest, Standing } from "@remit/core";
import { localTime, policyRequestOf, standing } from "@remit/core";
import type { ActionDeps } from "./action-deps.ts";
import { nothingCounted } from "./counted-facts.ts";

/**
 * What each policy of an agent would say of one call. Null where that is not the question: there is no such tool, it is halted, or the
 * arguments are wrong. Nothing is recorded, and what is counted is taken to be nothing yet: the path decides, this only looks ahead.
 */
export type DecisionsFor = (
  caller: Caller,
  tool: string,
  args: unknown,
) => { stand: Standing; decide: (policy: string, tier: Tier) => Decision } | null;

export function createDecisionsFor(deps: Pick<ActionDeps, "registry" | "halts" | "policy" | "normaliser" | "now">): DecisionsFor {
  return (caller, qualifiedName, args) => {
    const registry = deps.registry.current();
    const stand = standing(registry, deps.halts.current(), caller, qualifiedName);
    if (stand.type === "deny") return null;
    const { weekday, hour, date } = localTime(deps.now(), registry.organisation.timeZone);
    let input: PolicyRequest["input"];
    try {
      input = deps.normaliser.arguments(stand.tool.pin, args).value;
    } catch (error) {
      if (RemitError.is(error)) return null;
      throw error;
    }
    const facts = { weekday, hour, date, ...nothingCounted, runActionsLimit: caller.run?.maxActions ?? 0 };
    const request = policyRequestOf(stand, caller, input, facts, []);
    return { stand, decide: (policy, tier) => deps.policy.decide(registry, policy, { ...request, tier }) };
  };
}
