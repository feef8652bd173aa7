import type { JsonObject, NewEntry, Plan, RemitError } from "@remit/contract";
import { pinnedTool } from "@remit/core";
import type { Registry, ToolHead } from "@remit/core";
import { newId } from "../id/new-id.ts";

/** What the ledger keeps of an apply: from what to what, every change by name, the version of every agent, and who was suspended by it. */
export function appliedEntries(applied: {
  plan: Plan;
  registry: Registry;
  before: Registry | null;
  number: number;
  actor: string;
  at: Date;
}): NewEntry[] {
  const { plan, registry, before, number, actor, at } = applied;
  const suspended = [...registry.agents.values()].flatMap(({ spec, suspended }) =>
    suspended === null || before?.agents.get(spec.name)?.suspended ? [] : [{ agent: spec.name, ...suspended }],
  );
  return [
    entry("registry-applied", actor, at, {
      revision: number,
      before: plan.before,
      after: plan.after,
      plan: plan.digest,
      changes: plan.changes.map(({ action, kind, name, effect }) => ({ action, kind, name, effect })),
      agents: Object.fromEntries([...registry.agents].map(([name, { version }]) => [name, version])),
    }),
    ...suspended.map((data) => entry("agent-suspended", actor, at, data)),
  ];
}

/** Refused applies are kept too: who tried, and why not. */
export function refusedEntry(error: RemitError, actor: string, at: Date): NewEntry {
  const issues = error.issues.slice(0, 20).map(({ message, file, line, pointer }) => ({
    message,
    file: file ?? null,
    line: line ?? null,
    pointer: pointer ?? null,
  }));
  return entry("registry-refused", actor, at, { code: error.code, reason: error.message, issueCount: error.issues.length, issues });
}

/** A tool that its upstream now describes otherwise, offers no longer, or offers again. */
export function driftedEntry(tool: string, head: ToolHead, at: Date): NewEntry {
  return entry("tool-drifted", "service:gateway", at, {
    tool,
    state: pinnedTool(head).state,
    accepted: head.pin?.digest ?? null,
    offered: head.offered?.digest ?? null,
    refusal: head.refusal,
  });
}

export function acceptedEntry(tool: string, before: ToolHead, digest: string, version: JsonObject, actor: string, at: Date): NewEntry {
  return entry("tool-accepted", actor, at, { tool, before: before.pin?.digest ?? null, after: digest, agents: version });
}

function entry(type: NewEntry["type"], actor: string, at: Date, data: JsonObject): NewEntry {
  return { id: newId("entry", at.getTime()), type, at: at.toISOString(), actor, data };
}
