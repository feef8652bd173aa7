import type { Caller } from "@remit/contract";
import type { ActionPath, ListedTool } from "./action-path.ts";
import type { DecisionsFor } from "./decisions-for.ts";

/**
 * The path for tokens that carry several policies of their agent. Each call is judged by one of them: by the first that forbids it, else by
 * the first that grants it, in the token's order. So more policies never get around a stop, and never lose a grant.
 */
export function withSeveralPolicies(path: ActionPath, decisionsFor: DecisionsFor): ActionPath {
  function choose(caller: Caller, policies: readonly string[], tool: string, args: unknown): string {
    const found = decisionsFor(caller, tool, args);
    if (found === null) return caller.policy;
    const said = policies.map((policy) => ({ policy, decision: found.decide(policy, found.stand.agent.tier) }));
    const forbids = said.find(({ decision }) => decision.type === "deny" && decision.code !== "no-grant");
    const grants = said.find(({ decision }) => decision.type !== "deny");
    return (forbids ?? grants)?.policy ?? caller.policy;
  }

  return {
    list(caller) {
      const { furtherPolicies, ...alone } = caller;
      if (furtherPolicies === undefined) return path.list(caller);
      const listed = new Map<string, ListedTool>();
      for (const policy of [caller.policy, ...furtherPolicies]) {
        for (const one of path.list({ ...alone, policy })) {
          if (!listed.has(one.tool.qualifiedName)) listed.set(one.tool.qualifiedName, one);
        }
      }
      return [...listed.values()];
    },
    act(caller, attempt) {
      if (caller.furtherPolicies === undefined) return path.act(caller, attempt);
      const { furtherPolicies, ...alone } = caller;
      const policy = choose(caller, [caller.policy, ...furtherPolicies], attempt.tool, attempt.arguments);
      return path.act({ ...alone, policy }, attempt);
    },
    couldAct(caller, tool, args) {
      const { furtherPolicies, ...alone } = caller;
      if (furtherPolicies === undefined) return path.couldAct(caller, tool, args);
      const policies = [caller.policy, ...furtherPolicies];
      // Where the arguments are known, it is the call's own question, and so is the answer.
      if (args !== null) return path.couldAct({ ...alone, policy: choose(caller, policies, tool, args) }, tool, args);
      return policies.some((policy) => path.couldAct({ ...alone, policy }, tool, null));
    },
  };
}
