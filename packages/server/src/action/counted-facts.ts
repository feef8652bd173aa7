import type { Caller } from "@remit/contract";
import { type LocalTime, type Registry, bucket } from "@remit/core";
import type { Counted, CountedKeys } from "./action.journal.ts";

/** What is asked of policy where nothing is counted for it. */
export const nothingCounted: Counted = { runActions: 0, actionsThisMinute: 0, actionsToday: 0, amountToday: 0 };

const countedFacts = Object.keys(nothingCounted);

/**
 * Which windows the policies of a caller read. Null for policies that read none: then nothing is counted for them and nothing is
 * locked. Looked for in the text, so that a mention in whatever form counts; a comment that mentions one costs a lock, not a law.
 */
export function createCountedKeys(): (registry: Registry, caller: Caller, tool: string, time: LocalTime) => CountedKeys {
  const reads = new WeakMap<Registry, Map<string, boolean>>();
  return (registry, caller, tool, time) => {
    let known = reads.get(registry);
    if (known === undefined) reads.set(registry, (known = new Map()));
    let counts = known.get(caller.policy);
    if (counts === undefined) {
      const sets = [caller.policy, registry.organisation.guard].filter((name) => name !== undefined);
      const texts = sets.flatMap((name) => registry.policies.get(name)?.sources ?? []).map(({ text }) => text);
      counts = texts.some((text) => countedFacts.some((fact) => text.includes(fact)));
      known.set(caller.policy, counts);
    }
    if (!counts) return null;
    const owner = `count/${caller.agent}`;
    return {
      minute: `${owner}/minute/${bucket("minute", time)}`,
      day: `${owner}/day/${bucket("day", time)}`,
      amount: `${owner}/amount/${tool}/${bucket("day", time)}`,
    };
  };
}
