import type { Caller, Missing, Tier } from "@remit/contract";
import { RemitError } from "@remit/contract";
import type { PolicyRequest } from "@remit/core";
import { localTime, requiredTier, standing, whatIsMissing } from "@remit/core";
import type { ActionDeps } from "./action-deps.ts";

/** What a call lacks that was refused for want of tier or grant. Nothing is recorded: the attempt has been. */
export type MissingForCall = (caller: Caller, tool: string, args: unknown) => Missing[];

export function createMissingForCall(deps: Pick<ActionDeps, "registry" | "halts" | "policy" | "normaliser" | "now">): MissingForCall {
  return (caller, qualifiedName, args) => {
    const registry = deps.registry.current();
    const stand = standing(registry, deps.halts.current(), caller, qualifiedName);
    if (stand.type === "deny") return [];
    const { agent, environment, tool } = stand;
    const { weekday, hour, date } = localTime(deps.now(), registry.organisation.timeZone);
    const counts = { runActions: 0, actionsThisMinute: 0, actionsToday: 0, amountToday: 0 };
    let input: PolicyRequest["input"];
    try {
      input = deps.normaliser.arguments(tool.pin, args).value;
    } catch (error) {
      if (RemitError.is(error)) return [];
      throw error;
    }
    const request: Omit<PolicyRequest, "tier"> = {
      agent: agent.name,
      roles: agent.roles,
      tool: tool.qualifiedName,
      upstream: tool.spec.upstream,
      effect: tool.spec.effect,
      sensitivity: tool.spec.sensitivity,
      reversibility: tool.spec.reversibility,
      queue: caller.run?.queue ?? null,
      environment: environment.name,
      environmentType: environment.type,
      workflow: caller.run?.workflow ?? null,
      input,
      facts: { weekday, hour, date, ...counts, runActionsLimit: caller.run?.maxActions ?? 0 },
      approvals: [],
    };
    return whatIsMissing({
      tier: agent.tier,
      needs: requiredTier(tool.spec.effect, environment.type),
      environment: environment.name,
      policy: caller.policy,
      // The token of a run is the run's: it is not got again with other scopes.
      policies: caller.run === null ? agent.policies : [caller.policy],
      decide: (policy: string, tier: Tier) => deps.policy.decide(registry, policy, { ...request, tier }),
    });
  };
}
