import { environmentTypeSchema } from "@remit/contract";
import type { Effect } from "@remit/contract";
import type { Registry } from "@remit/core";
import { inputType } from "./value-type.ts";
import type { LeftOut, Member, RecordType, ValueType } from "./value-type.ts";

/** Everything that policies may name, as plain values. It is made from the registry alone. */
export type Vocabulary = {
  tools: ReadonlyMap<string, ToolWords>;
  upstreams: readonly string[];
  /** Teams that can be asked for approval. */
  teams: readonly string[];
  /** For remarks only: naming something else is allowed (it may come later), and applies to nothing. */
  agents: ReadonlyMap<string, readonly string[]>;
  queues: readonly string[];
  environments: readonly string[];
};

/** A tool as policies see it. `input` is null until its schema has been pinned: nothing can be said of calls to it. */
export type ToolWords = { name: string; upstream: string; effect: Effect; input: RecordType | null; leftOut: readonly LeftOut[] };

export const weekdays = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;

const text = (values: readonly string[] | null = null): ValueType => ({ kind: "string", values });
const integer: ValueType = { kind: "integer", values: null };

function record(required: Record<string, ValueType>, optional: Record<string, ValueType> = {}): RecordType {
  const members = new Map<string, Member>();
  for (const [name, type] of Object.entries(required)) members.set(name, { type, required: true, nullable: false });
  for (const [name, type] of Object.entries(optional)) members.set(name, { type, required: false, nullable: true });
  return { kind: "record", members };
}

const facts = record({
  weekday: text(weekdays),
  hour: integer,
  date: text(),
  runActions: integer,
  runActionsLimit: integer,
  actionsThisMinute: integer,
  actionsToday: integer,
  amountToday: integer,
});

const run = record({ environment: text(), environmentType: text(environmentTypeSchema.options) }, { workflow: text(), queue: text() });

const tool = record({
  name: text(),
  upstream: text(),
  effect: text(["read", "propose", "write"]),
  sensitivity: text(["public", "internal", "confidential", "restricted"]),
  reversibility: text(["none", "compensable", "reversible"]),
});

/** `context` of a call of one tool. */
export function contextType(words: ToolWords): RecordType {
  return record({ input: words.input ?? { kind: "record", members: new Map() }, facts, run, tool, approvals: { kind: "teams" } });
}

export function vocabularyOf(registry: Registry): Vocabulary {
  const tools = new Map<string, ToolWords>();
  for (const [name, { spec, pin }] of registry.tools) {
    const input = pin === null ? null : inputType(pin.inputSchema);
    tools.set(name, { name, upstream: spec.upstream, effect: spec.effect, input: input?.type ?? null, leftOut: input?.leftOut ?? [] });
  }
  return {
    tools,
    upstreams: [...new Set([...registry.upstreams.keys(), ...[...tools.values()].map((words) => words.upstream)])].sort(),
    teams: [...registry.teams.values()].flatMap((team) => (team.approval === undefined ? [] : [team.name])).sort(),
    agents: new Map([...registry.agents.values()].map((agent) => [agent.spec.name, agent.spec.roles])),
    queues: [...registry.queues.keys()].sort(),
    environments: [...registry.environments.keys()].sort(),
  };
}
