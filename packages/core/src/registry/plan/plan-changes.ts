import { planGroups } from "@remit/contract";
import type { AssetSpec, Issue, Plan, PlanChange, PlanGroup, UpstreamSpec } from "@remit/contract";
import { canonicalJson } from "../../canonical/canonical-json.ts";
import type { Registry } from "../registry.ts";
import { asJson } from "../version-digest.ts";
import type { HashText } from "../version-digest.ts";
import { jsonDifferences } from "./json-differences.ts";
import type { JsonDifference } from "./json-differences.ts";
import { addedAgent, changedAgent, removedAgent } from "./plan-agent.ts";
import { addedParty, addedTeam, changedParty, changedTeam, removedParty, removedTeam } from "./plan-people.ts";
import { addedPolicy, changedPolicy, removedPolicy } from "./plan-policy.ts";
import { addedTool, changedTool, removedTool } from "./plan-tool.ts";
import { change, listed } from "./plan-words.ts";

export type PlanTools = {
  hash: HashText;
  /** A unified diff of one file. */
  diffText: (file: string, before: string, after: string) => string;
};

/** What applying `after` would change, what it means for who may do what first. The same two registries give the same plan. */
export function planChanges(before: Registry | null, after: Registry, warnings: readonly Issue[], { hash, diffText }: PlanTools): Plan {
  const from = before?.digest ?? null;
  const changes = from === after.digest ? [] : inOrder(allChanges(before, after, diffText));
  return {
    digest: hash(canonicalJson({ before: from, after: after.digest })),
    before: from,
    after: after.digest,
    changes,
    warnings: [...warnings],
  };
}

function allChanges(before: Registry | null, after: Registry, diffText: PlanTools["diffText"]): PlanChange[] {
  return [
    ...organisationChanges(before, after),
    ...compare(before?.agents, after.agents, {
      add: (agent) => addedAgent(agent, after),
      remove: removedAgent,
      change: (old, now) => rest(changedAgent(old, now, after, diffText), "agents", old.spec, now.spec),
    }),
    ...compare(before?.tools, after.tools, {
      add: addedTool,
      remove: removedTool,
      change: (old, now) => rest(changedTool(old, now), "tools", old.spec, now.spec),
    }),
    ...compare(before?.policies, after.policies, {
      add: (policy) => addedPolicy(policy, after, diffText),
      remove: (policy) => removedPolicy(policy, diffText),
      change: (old, now) => rest(changedPolicy(old, now, after, diffText), "policies", old.spec, now.spec),
    }),
    ...compare(before?.parties, after.parties, {
      add: addedParty,
      remove: removedParty,
      change: (old, now) => rest(changedParty(old, now), "people", old, now),
    }),
    ...compare(before?.teams, after.teams, {
      add: addedTeam,
      remove: removedTeam,
      change: (old, now) => rest(changedTeam(old, now), "people", old, now),
    }),
    ...compare(before?.workflows, after.workflows, plain("workflows")),
    ...compare(before?.queues, after.queues, plain("workflows")),
    ...compare(before?.upstreams, after.upstreams, {
      ...plain("permissions"),
      change: (old, now) => rest(changedUpstream(old, now), "places", old, now),
    }),
    ...compare(before?.credentials, after.credentials, {
      ...plain("permissions"),
      change: (old, now) => rest({ changes: [], told: [] }, "permissions", old, now),
    }),
    ...compare(before?.environments, after.environments, {
      ...plain("places"),
      change: (old, now) => rest({ changes: [], told: [] }, "permissions", old, now),
    }),
  ];
}

type Compared<Value> = {
  add(value: Value): PlanChange[];
  remove(value: Value): PlanChange[];
  change(before: Value, after: Value): PlanChange[];
};

function compare<Value>(
  before: ReadonlyMap<string, Value> = new Map(),
  after: ReadonlyMap<string, Value>,
  say: Compared<Value>,
): PlanChange[] {
  return [
    ...[...after].flatMap(([name, value]) => {
      const old = before.get(name);
      return old === undefined ? say.add(value) : say.change(old, value);
    }),
    ...[...before].flatMap(([name, value]) => (after.has(name) ? [] : say.remove(value))),
  ];
}

/** Kinds of which only the document can be told. */
function plain<Spec extends AssetSpec>(group: PlanGroup): Compared<Spec> {
  return {
    add: (spec) => [
      change({
        group,
        action: "add",
        kind: spec.kind,
        name: spec.name,
        effect: "neutral",
        summary: `New ${spec.kind} ${spec.name}${about(spec)}.`,
      }),
    ],
    remove: (spec) => [
      change({
        group,
        action: "remove",
        kind: spec.kind,
        name: spec.name,
        effect: "stops",
        summary: `The ${spec.kind} ${spec.name} is removed.`,
      }),
    ],
    change: (old, now) => rest({ changes: [], told: [] }, group, old, now),
  };
}

/** What was told in words, and one more change with everything about the document that was not. */
function rest(
  { changes, told }: { changes: PlanChange[]; told: string[] },
  group: PlanGroup,
  before: AssetSpec,
  after: AssetSpec,
): PlanChange[] {
  const isTold = (pointer: string) => told.some((prefix) => pointer === prefix || pointer.startsWith(`${prefix}/`));
  const differences = jsonDifferences(asJson(before), asJson(after));
  const untold = differences.filter(({ pointer }) => !isTold(pointer));
  // A list in another order is nothing that words would tell of; a plan still leaves no difference out.
  const details = untold.length === 0 && changes.length === 0 ? differences : untold;
  if (details.length === 0) return changes;
  const name = after.kind === "tool" ? `${after.upstream}__${after.name}` : after.name;
  const members = [...new Set(details.map(({ pointer }) => pointer.split("/")[1] ?? ""))];
  const summary = `The ${after.kind} ${name} changes in ${listed(members)}.`;
  return [
    ...changes,
    change({ group, action: "change", kind: after.kind, name, effect: "neutral", summary, details: details.map(withoutSecrets) }),
  ];
}

/** Somebody will put a key into an upstream's environment, and plans are pasted into tickets. */
function withoutSecrets(difference: JsonDifference): JsonDifference {
  const hide = (value: JsonDifference["before"]) => (value === null ? null : "(not shown)");
  return difference.pointer.startsWith("/transport/env")
    ? { ...difference, before: hide(difference.before), after: hide(difference.after) }
    : difference.pointer === "/transport"
      ? { ...difference, before: hide(difference.before), after: hide(difference.after) }
      : difference;
}

/** What answers under an upstream's name is as much a matter of trust as what its tools say. */
function changedUpstream(before: UpstreamSpec, after: UpstreamSpec): { changes: PlanChange[]; told: string[] } {
  const details = jsonDifferences({ transport: asJson(before.transport) }, { transport: asJson(after.transport) }).map(withoutSecrets);
  if (details.length === 0) return { changes: [], told: [] };
  const { name } = after;
  const summary = `Something else answers as ${name}${about(after)}. Its tools stay callable only as far as they say what was accepted.`;
  return {
    changes: [change({ group: "permissions", action: "change", kind: "upstream", name, effect: "neutral", summary, details })],
    told: ["/transport"],
  };
}

function transportWords(transport: UpstreamSpec["transport"]): string {
  switch (transport.type) {
    case "stdio":
      return `the program ${[transport.command, ...transport.args].join(" ")} runs on this server`;
    case "http":
      return transport.url;
    case "openapi":
      return `the API that ${transport.document} describes, at ${transport.baseUrl ?? "the address that it names"}`;
    case "hook":
      return "the built-in tools of coding agents, which they carry out themselves";
  }
}

function about(spec: AssetSpec): string {
  switch (spec.kind) {
    case "workflow":
      return `: ${spec.agent} works${spec.queue === undefined ? "" : ` on ${spec.queue}`}, at most ${spec.limits.actions} actions in ${spec.limits.wallclock}; ${spec.accountable} answers for it`;
    case "queue":
      return `: at most ${spec.maxDepth} items`;
    case "upstream":
      return `: ${transportWords(spec.transport)}`;
    case "credential":
      return `: ${spec.from.type} shown as ${spec.use.type}`;
    case "environment":
      return ` (${spec.type})`;
    default:
      return "";
  }
}

function organisationChanges(before: Registry | null, after: Registry): PlanChange[] {
  const { name } = after.organisation;
  if (before === null) return [];
  const details = jsonDifferences(asJson(before.organisation), asJson(after.organisation));
  if (details.length === 0) return [];
  const guard = details.some(({ pointer }) => pointer === "/guard");
  const words = guard
    ? after.organisation.guard === undefined
      ? "No policy set guards every agent any more."
      : `${after.organisation.guard} guards every agent from now on.`
    : `The organisation changes in ${listed(details.map(({ pointer }) => pointer.slice(1)))}.`;
  const effect = guard && after.organisation.guard === undefined ? "widens" : "neutral";
  return [
    change({ group: guard ? "permissions" : "places", action: "change", kind: "organisation", name, effect, summary: words, details }),
  ];
}

const effectOrder: PlanChange["effect"][] = ["stops", "widens", "narrows", "neutral"];

function inOrder(changes: PlanChange[]): PlanChange[] {
  const rank = (item: PlanChange) => planGroups.indexOf(item.group) * effectOrder.length + effectOrder.indexOf(item.effect);
  return changes
    .map((item, position) => ({ item, position }))
    .sort((left, right) => rank(left.item) - rank(right.item) || left.position - right.position)
    .map(({ item }) => item);
}
