import type { Caller, Missing } from "@remit/contract";
import { requiredTier, whatIsMissing } from "@remit/core";
import type { DecisionsFor } from "./decisions-for.ts";

/** What a call lacks that was refused for want of tier or grant. Nothing is recorded: the attempt has been. */
export type MissingForCall = (caller: Caller, tool: string, args: unknown) => Missing[];

export function createMissingForCall(decisionsFor: DecisionsFor): MissingForCall {
  return (caller, qualifiedName, args) => {
    const found = decisionsFor(caller, qualifiedName, args);
    if (found === null) return [];
    const { agent, environment, tool } = found.stand;
    return whatIsMissing({
      tier: agent.tier,
      needs: requiredTier(tool.spec.effect, environment.type),
      environment: environment.name,
      policy: caller.policy,
      // The token of a run is the run's: it is not got again with other scopes.
      policies: caller.run === null ? agent.policies : [caller.policy],
      decide: found.decide,
    });
  };
}
