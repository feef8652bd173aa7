import type { Decision, NewEntry } from "@remit/contract";
import type { Replacements } from "@remit/server/testing";

/** Agents of the bench, each named for the one stage that is left out for it alone. */
export const stages = {
  "no-token-check": "the check of its token",
  "no-policy": "policy",
  "no-sealing": "sealing and keeping what was said",
  "no-fsync": "waiting for the disk (synchronous_commit)",
  "no-ledger": "the journal, the budget and the ledger",
} as const;
export type Stage = keyof typeof stages;

/**
 * Parts that leave out one stage for one agent each, so that what the stage costs can be measured. They stand in for Remit's own in
 * a server that only the bench composes; it says so in its log and its ledger.
 */
export function replacedParts(): Required<Omit<Replacements, "migrations">> {
  const callers = new Map<string, Awaited<ReturnType<CallersPart["verify"]>>>();
  const decisions = new Map<string, Decision>();
  const unwritten = new Set<string>();
  const unsynced = new WeakSet();
  const isFor = (entries: readonly NewEntry[], stage: Stage): boolean => entries.some(({ actor }) => actor === `agent:${stage}`);

  return {
    callers: (own) => ({
      ...own,
      async verify(token, resource) {
        const known = callers.get(token);
        if (known !== undefined) return known;
        const caller = await own.verify(token, resource);
        if (caller.agent === stage("no-token-check")) callers.set(token, caller);
        return caller;
      },
    }),
    policyEngine: (own) => ({
      ...own,
      decide(registry, policy, request) {
        if (request.agent !== stage("no-policy")) return own.decide(registry, policy, request);
        // What policy said first, its cap with it: only deciding is left out.
        const decision = decisions.get(registry.digest) ?? own.decide(registry, policy, request);
        decisions.set(registry.digest, decision);
        return decision;
      },
    }),
    journal: (own) => ({
      ...own,
      async begin(begin) {
        if (begin.action.caller.agent !== stage("no-ledger")) return own.begin(begin);
        const decision = begin.decide({ runActions: 0, actionsThisMinute: 0, actionsToday: 0, amountToday: 0 });
        if (decision.type !== "allow") return own.begin(begin);
        unwritten.add(begin.action.id);
        return { type: "intended", decision, intent: { actionId: begin.action.id } as unknown as Intent };
      },
      finish: async (end) => (unwritten.delete(end.actionId) ? true : own.finish(end)),
    }),
    ledger: (own) => ({
      ...own,
      statementFor(entries) {
        const kept = isFor(entries, "no-sealing") ? entries.map((entry): NewEntry => ({ ...entry, payloads: [] })) : entries;
        const statement = own.statementFor(kept);
        if (statement !== null && isFor(entries, "no-fsync")) unsynced.add(statement);
        return statement;
      },
    }),
    database: (own) => ({
      ...own,
      atomically: (statements) =>
        own.atomically(statements.some((statement) => unsynced.has(statement)) ? [...statements, withoutSync] : statements),
    }),
  };
}

const withoutSync = { name: "bench-without-sync", text: "SELECT set_config('synchronous_commit', 'off', true)", values: [] };

function stage(name: Stage): Stage {
  return name;
}

type CallersPart = ReturnType<NonNullable<Replacements["callers"]>>;
type Journal = ReturnType<NonNullable<Replacements["journal"]>>;
type Intent = Extract<Awaited<ReturnType<Journal["begin"]>>, { type: "intended" }>["intent"];
