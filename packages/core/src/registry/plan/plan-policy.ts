import type { PlanChange } from "@remit/contract";
import type { RegisteredPolicy, Registry } from "../registry.ts";
import { change, listed } from "./plan-words.ts";

type DiffText = (file: string, before: string, after: string) => string;

export function addedPolicy(policy: RegisteredPolicy, after: Registry, diffText: DiffText): PlanChange[] {
  const { name, description } = policy.spec;
  const summary = `New policy set ${name}: ${description.replace(/\.$/, "")}. ${decides(name, after)}.`;
  return [
    change({
      group: "permissions",
      action: "add",
      kind: "policy",
      name,
      effect: "neutral",
      summary,
      diff: sourcesDiff(undefined, policy, diffText),
    }),
  ];
}

export function removedPolicy(policy: RegisteredPolicy, diffText: DiffText): PlanChange[] {
  const { name } = policy.spec;
  const summary = `The policy set ${name} is removed: no run can select it.`;
  return [
    change({
      group: "permissions",
      action: "remove",
      kind: "policy",
      name,
      effect: "stops",
      summary,
      diff: sourcesDiff(policy, undefined, diffText),
    }),
  ];
}

export function changedPolicy(
  before: RegisteredPolicy,
  after: RegisteredPolicy,
  registry: Registry,
  diffText: DiffText,
): { changes: PlanChange[]; told: string[] } {
  const { name } = after.spec;
  const diff = sourcesDiff(before, after, diffText);
  if (diff === null) return { changes: [], told: [] };
  const summary = `The text of the policy set ${name} changes. ${decides(name, registry)}.`;
  return {
    changes: [change({ group: "permissions", action: "change", kind: "policy", name, effect: "neutral", summary, diff })],
    told: [],
  };
}

function sourcesDiff(before: RegisteredPolicy | undefined, after: RegisteredPolicy | undefined, diffText: DiffText): string | null {
  const old = new Map(before?.sources.map(({ file, text }) => [file, text]));
  const now = new Map(after?.sources.map(({ file, text }) => [file, text]));
  const diffs = [...new Set([...old.keys(), ...now.keys()])]
    .sort()
    .filter((file) => old.get(file) !== now.get(file))
    .map((file) => diffText(file, old.get(file) ?? "", now.get(file) ?? ""));
  return diffs.length === 0 ? null : diffs.join("\n");
}

function decides(name: string, registry: Registry): string {
  if (registry.organisation.guard === name) return "It guards every agent";
  const agents = [...registry.agents.values()].filter(({ spec }) => spec.policies.includes(name)).map(({ spec }) => spec.name);
  return agents.length === 0 ? "No agent uses it" : `It decides for ${listed(agents)}`;
}
