import type { Registry } from "@remit/core";

export type CapLimit = { policy: string; scope: string; limit: number };

/**
 * The limits of the caps that are in force, as their policies say them. Only for showing how much is left: what holds is what the policy
 * engine reads, and a cap that cannot be read here is not shown.
 */
export function capLimits(registry: Pick<Registry, "policies">): CapLimit[] {
  return [...registry.policies.values()]
    .flatMap(({ sources }) => sources)
    .flatMap(({ text }) => [...text.matchAll(/((?:@\w+\("(?:[^"\\]|\\.)*"\)\s*)+)permit\b/g)])
    .flatMap(([, head = ""]) => {
      const said = new Map([...head.matchAll(/@(\w+)\(("(?:[^"\\]|\\.)*")\)/g)].map(([, name = "", text = ""]) => [name, text]));
      try {
        const word = (name: string): string => JSON.parse(said.get(name) ?? '""') as string;
        if (word("obligation") !== "cap") return [];
        const { limit, scope } = JSON.parse(word("params")) as { limit?: unknown; scope?: unknown };
        return typeof limit === "number" && typeof scope === "string" ? [{ policy: word("id"), scope, limit }] : [];
      } catch {
        return [];
      }
    });
}
