import type { SchemaJson, Type, TypeOfAttribute } from "@cedar-policy/cedar-wasm/nodejs";
import { effectSchema, environmentTypeSchema } from "@remit/contract";
import type { RecordType, ValueType } from "./value-type.ts";
import { contextType } from "./vocabulary.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** The action groups that every tool of an effect is in. `act` is whatever is not a mere read, so that a stop on it stops all of that. */
export const effectGroups = { read: ["read"], propose: ["propose", "act"], write: ["write", "act"] } as const;

/** The action group of all tools of one upstream. No tool's name contains `*`, and no effect does. */
export function upstreamGroup(upstream: string): string {
  return `${upstream}__*`;
}

/** Cedar insists on at least one value; no team can have this name. */
const nobody = "(no team)";

/** The whole schema: every registered tool. Policies are validated against it before they come into force. */
export function wholeSchema(vocabulary: Vocabulary): SchemaJson<string> {
  const actions: SchemaJson<string>[string]["actions"] = { act: {} };
  for (const effect of effectSchema.options) actions[effect] = effect === "read" ? {} : { memberOf: [{ id: "act" }] };
  for (const upstream of vocabulary.upstreams) actions[upstreamGroup(upstream)] = {};
  for (const tool of vocabulary.tools.values()) {
    const memberOf = [{ id: tool.effect }, { id: upstreamGroup(tool.upstream) }];
    // Without a pinned schema nothing is known of its arguments: the name may be used, a request cannot be made.
    actions[tool.name] = tool.input === null ? { memberOf } : { memberOf, appliesTo: appliesTo(contextType(tool)) };
  }
  return { Remit: { entityTypes: entityTypes(vocabulary.teams), actions } };
}

/** The schema of one question: one tool, and of the context only what the policies that decide it read. Small, because Cedar copies it for every decision. */
export function questionSchema(
  tool: { name: string; effect: keyof typeof effectGroups; upstream: string },
  context: RecordType,
  teams: readonly string[],
) {
  const groups = [...effectGroups[tool.effect], upstreamGroup(tool.upstream)];
  const actions: SchemaJson<string>[string]["actions"] = Object.fromEntries(groups.map((group) => [group, {}]));
  actions[tool.name] = { memberOf: groups.map((id) => ({ id })), appliesTo: appliesTo(context) };
  return { Remit: { entityTypes: entityTypes(teams), actions } } satisfies SchemaJson<string>;
}

function appliesTo(context: RecordType) {
  return { principalTypes: ["Agent"], resourceTypes: ["Queue", "Environment"], context: cedarType(context) };
}

function entityTypes(teams: readonly string[]): SchemaJson<string>[string]["entityTypes"] {
  return {
    Role: {},
    Agent: { memberOfTypes: ["Role"] },
    EnvironmentType: { enum: [...environmentTypeSchema.options] },
    Environment: { memberOfTypes: ["EnvironmentType"] },
    Queue: { memberOfTypes: ["Environment"] },
    Team: { enum: teams.length === 0 ? [nobody] : [...teams] },
  };
}

function cedarType(type: ValueType): Type<string> {
  switch (type.kind) {
    case "string":
      return { type: "String" };
    case "integer":
      return { type: "Long" };
    case "boolean":
      return { type: "Boolean" };
    case "set":
      return { type: "Set", element: cedarType({ kind: type.element, values: null }) };
    case "teams":
      return { type: "Set", element: { type: "Entity", name: "Team" } };
    case "record": {
      const attributes: [string, TypeOfAttribute<string>][] = [...type.members].map(([name, member]) => [
        name,
        { ...cedarType(member.type), required: member.required },
      ]);
      // fromEntries defines members, so that a member called `__proto__` stays one.
      return { type: "Record", attributes: Object.fromEntries(attributes) };
    }
  }
}
