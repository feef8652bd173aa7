import type { PlanChange } from "@remit/contract";
import type { RegisteredAgent, Registry } from "../registry.ts";
import { change, effectWords, gainedAndLost, listed, tierWords } from "./plan-words.ts";

type Told = { changes: PlanChange[]; /** Members of the document that these changes tell of. */ told: string[] };

export function addedAgent({ spec, suspended }: RegisteredAgent, after: Registry): PlanChange[] {
  const summary =
    `New agent ${spec.name}: ${spec.purpose.replace(/\.$/, "")}. ${spec.accountable} answers for it. ${capitalised(tierWords[spec.tier])} in ${listed(spec.environments)}, ` +
    `under the policy ${listed(spec.policies)}, with ${tools(spec.tools, after)}.`;
  return [
    change({ group: "permissions", action: "add", kind: "agent", name: spec.name, effect: "widens", summary }),
    ...(suspended === null ? [] : [suspends(spec.name, suspended.reason)]),
  ];
}

export function removedAgent({ spec }: RegisteredAgent): PlanChange[] {
  const summary = `The agent ${spec.name} is removed: its tokens stop, and it may do nothing any more.`;
  return [change({ group: "permissions", action: "remove", kind: "agent", name: spec.name, effect: "stops", summary })];
}

export function changedAgent(
  before: RegisteredAgent,
  after: RegisteredAgent,
  registry: Registry,
  diffText: (file: string, before: string, after: string) => string,
): Told {
  const { name } = after.spec;
  const changes: PlanChange[] = [];
  const say = (effect: PlanChange["effect"], summary: string, group: PlanChange["group"] = "permissions") =>
    changes.push(change({ group, action: "change", kind: "agent", name, effect, summary }));

  if (before.spec.tier !== after.spec.tier) {
    const up = after.spec.tier > before.spec.tier;
    say(
      up ? "widens" : "narrows",
      `${name} goes ${up ? "up" : "down"} from ${tierWords[before.spec.tier]} to ${tierWords[after.spec.tier]}.`,
    );
  }
  const toolNames = gainedAndLost(before.spec.tools, after.spec.tools);
  if (toolNames.gained.length > 0) say("widens", `${name} gains ${tools(toolNames.gained, registry)}.`);
  if (toolNames.lost.length > 0) say("narrows", `${name} loses ${listed(toolNames.lost)}.`);
  const places = gainedAndLost(before.spec.environments, after.spec.environments);
  if (places.gained.length > 0) say("widens", `${name} may now work in ${listed(places.gained)}.`);
  if (places.lost.length > 0) say("narrows", `${name} may no longer work in ${listed(places.lost)}.`);
  if (before.spec.policies.join() !== after.spec.policies.join()) {
    say(
      "neutral",
      `${name} is decided on by ${listed(after.spec.policies)} (before: ${listed(before.spec.policies)}); ${after.spec.policies[0]} is what a run gets that names none.`,
    );
  }
  const roles = gainedAndLost(before.spec.roles, after.spec.roles);
  if (roles.gained.length > 0)
    say("widens", `${name} gains the ${plural(roles.gained, "role")} ${listed(roles.gained)}: whatever policy grants to them.`);
  if (roles.lost.length > 0) say("narrows", `${name} loses the ${plural(roles.lost, "role")} ${listed(roles.lost)}.`);
  if (before.spec.accountable !== after.spec.accountable) {
    say("neutral", `${after.spec.accountable} answers for ${name} from now on, instead of ${before.spec.accountable}.`);
  }
  if (after.suspended !== null && before.suspended === null) changes.push(suspends(name, after.suspended.reason));
  if (after.suspended === null && before.suspended !== null) say("widens", `${name} is no longer suspended and may act again.`);
  if (before.prompt?.text !== after.prompt?.text || before.prompt?.file !== after.prompt?.file) {
    changes.push(
      change({
        group: "agents",
        action: "change",
        kind: "agent",
        name,
        effect: "neutral",
        summary: `${name} is told something else: its prompt changes.`,
        diff: diffText(after.prompt?.file ?? before.prompt?.file ?? "prompt", before.prompt?.text ?? "", after.prompt?.text ?? ""),
      }),
    );
  }
  return { changes, told: ["/tier", "/tools", "/environments", "/policies", "/roles", "/accountable", "/promptFile"] };
}

function suspends(name: string, reason: string): PlanChange {
  const summary = `${name.toUpperCase()} IS SUSPENDED and may do nothing: ${reason}.`;
  return change({ group: "permissions", action: "change", kind: "agent", name, effect: "stops", summary });
}

function tools(names: readonly string[], registry: Registry): string {
  if (names.length === 0) return "no tools";
  const described = names.map((name) => {
    const tool = registry.tools.get(name);
    return tool === undefined ? name : `${name} (${effectWords[tool.spec.effect]})`;
  });
  return listed(described);
}

function plural(names: readonly string[], noun: string): string {
  return names.length === 1 ? noun : `${noun}s`;
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
