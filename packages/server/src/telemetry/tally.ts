import { canonicalJson } from "@remit/core";
import type { MetricFamily, Reading } from "./metric-family.ts";

/** Entries of the ledger that count alike. */
export type EntryGroup = {
  type: string;
  tool: string | null;
  agent: string | null;
  effect: string | null;
  code: string | null;
  /** Which of {@link durationBounds} the execution's time fell under; null where nothing was executed. */
  durationBucket: number | null;
  seconds: number;
  count: number;
};

/** Entries by how long they took from being made to being signed. */
export type DelayGroup = { bucket: number; seconds: number; count: number };

/** What one batch of the ledger adds to a count. */
export type Increment = { metric: string; labels: Readonly<Record<string, string>>; value: number };

/** Upper bounds in seconds; the last bucket has none. */
export const durationBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60] as const;
export const delayBounds = [0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.5, 1, 2.5, 5, 10] as const;

const whole = { of: "whole", type: "counter" } as const;

export const tallyFamilies: readonly MetricFamily[] = [
  { ...whole, name: "remit_ledger_entries_total", help: "Entries under a signed checkpoint.", labels: ["type"] },
  {
    ...whole,
    name: "remit_decisions_total",
    help: "Decisions that were recorded. `code`: why it was denied. What waited and was granted is decided twice.",
    labels: ["verdict", "code", "effect"],
  },
  {
    ...whole,
    name: "remit_actions_total",
    help: "Actions that have ended, each once, by the one way in which it ended.",
    labels: ["outcome", "effect"],
  },
  { ...whole, name: "remit_action_failures_total", help: "Actions that failed, by why.", labels: ["code"] },
  { ...whole, name: "remit_agent_actions_total", help: "Actions that have ended, by agent.", labels: ["agent", "outcome"] },
  { ...whole, name: "remit_tool_actions_total", help: "Actions that have ended, by tool.", labels: ["tool", "outcome"] },
  { ...whole, name: "remit_approvals_total", help: "What became of requests for approval, each step once.", labels: ["step"] },
  { ...whole, name: "remit_circuit_changes_total", help: "Circuits of tools that were opened or closed.", labels: ["tool", "state"] },
  {
    ...whole,
    type: "histogram",
    name: "remit_action_duration_seconds",
    help: "How long actions took to execute, without waiting for people.",
    labels: ["effect"],
  },
  {
    ...whole,
    type: "histogram",
    name: "remit_ledger_merge_delay_seconds",
    help: "From the making of an entry to the signature over it.",
    labels: [],
  },
];

/** Entries that end an action. */
const outcomes = new Set(["denied", "expired", "rejected", "cancelled", "halted", "succeeded", "failed", "unknown"]);
const verdicts = new Map([
  ["action-intended", "allow"],
  ["action-waiting", "require-approval"],
  ["action-denied", "deny"],
]);

/** What entries count for. `nameOf` bounds the names of agents and tools: what anybody may make up is not a label. */
export function tallyOf(groups: readonly EntryGroup[], nameOf: (kind: "agent" | "tool", name: string | null) => string): Increment[] {
  return groups.flatMap((group): Increment[] => {
    const { type, count } = group;
    const effect = group.effect ?? "unknown";
    const made: Increment[] = [{ metric: "remit_ledger_entries_total", labels: { type }, value: count }];
    const verdict = verdicts.get(type);
    const code = group.code ?? "none";
    if (verdict !== undefined)
      made.push({
        metric: "remit_decisions_total",
        labels: { verdict, code: verdict === "deny" ? code : "none", effect },
        value: count,
      });
    const outcome = type.startsWith("action-") ? type.slice("action-".length) : "";
    if (outcomes.has(outcome)) {
      made.push(
        { metric: "remit_actions_total", labels: { outcome, effect }, value: count },
        { metric: "remit_agent_actions_total", labels: { agent: nameOf("agent", group.agent), outcome }, value: count },
        { metric: "remit_tool_actions_total", labels: { tool: nameOf("tool", group.tool), outcome }, value: count },
      );
      if (outcome === "failed") made.push({ metric: "remit_action_failures_total", labels: { code }, value: count });
    }
    if (type.startsWith("approval-"))
      made.push({ metric: "remit_approvals_total", labels: { step: type.slice("approval-".length) }, value: count });
    if (type.startsWith("circuit-"))
      made.push({
        metric: "remit_circuit_changes_total",
        labels: { tool: nameOf("tool", group.tool), state: type.slice("circuit-".length) },
        value: count,
      });
    if (group.durationBucket !== null)
      made.push(...observed("remit_action_duration_seconds", { effect }, durationBounds, group.durationBucket, group));
    return made;
  });
}

export function tallyOfDelays(groups: readonly DelayGroup[]): Increment[] {
  return groups.flatMap((group) => observed("remit_ledger_merge_delay_seconds", {}, delayBounds, group.bucket, group));
}

/** Sums what counts alike. */
export function summed(increments: readonly Increment[]): { metric: string; labels: string; value: number }[] {
  const sums = new Map<string, { metric: string; labels: string; value: number }>();
  for (const { metric, labels, value } of increments) {
    const text = canonicalJson(labels);
    const key = `${metric} ${text}`;
    const sum = sums.get(key) ?? { metric, labels: text, value: 0 };
    sum.value += value;
    sums.set(key, sum);
  }
  return [...sums.values()];
}

/** Counts as they are told: a histogram's buckets are kept apart and told with all below them. */
export function readingsOf(tallies: readonly { metric: string; labels: string; value: number }[]): Reading[] {
  const readings: Reading[] = [];
  const histograms = new Map<string, { family: MetricFamily; labels: Record<string, string>; buckets: Map<string, number> }>();
  for (const { metric, labels: text, value } of tallies) {
    const labels = JSON.parse(text) as Record<string, string>;
    const family = tallyFamilies.find(({ name, type }) => type === "histogram" && metric === `${name}_bucket`);
    if (family === undefined) {
      readings.push({ name: metric, labels, value });
      continue;
    }
    const { le = "", ...rest } = labels;
    const key = `${family.name} ${canonicalJson(rest)}`;
    const histogram = histograms.get(key) ?? { family, labels: rest, buckets: new Map<string, number>() };
    histogram.buckets.set(le, value);
    histograms.set(key, histogram);
  }
  for (const { family, labels, buckets } of histograms.values()) {
    let below = 0;
    for (const bound of [...(bounds.get(family.name) ?? []), "+Inf"]) {
      below += buckets.get(String(bound)) ?? 0;
      readings.push({ name: `${family.name}_bucket`, labels: { ...labels, le: String(bound) }, value: below });
    }
    readings.push({ name: `${family.name}_count`, labels, value: below });
  }
  return readings;
}

const bounds = new Map<string, readonly number[]>([
  ["remit_action_duration_seconds", durationBounds],
  ["remit_ledger_merge_delay_seconds", delayBounds],
]);

function observed(
  family: string,
  labels: Record<string, string>,
  limits: readonly number[],
  bucket: number,
  { seconds, count }: { seconds: number; count: number },
): Increment[] {
  return [
    { metric: `${family}_bucket`, labels: { ...labels, le: String(limits[bucket] ?? "+Inf") }, value: count },
    { metric: `${family}_sum`, labels, value: seconds },
  ];
}
