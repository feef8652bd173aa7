import type { Effect, PlanChange } from "@remit/contract";
import type { RegisteredTool } from "../registry.ts";
import { change, effectWords } from "./plan-words.ts";

const rank: Record<Effect, number> = { read: 0, propose: 1, write: 2 };

export function addedTool(tool: RegisteredTool): PlanChange[] {
  const { qualifiedName: name, spec } = tool;
  const pinned =
    tool.pin === null
      ? "Its upstream does not say what it is, so nobody can call it yet"
      : `Pinned as ${tool.pin.digest.slice(0, 12)}: "${firstLine(tool.pin.description)}"`;
  return [
    change({
      group: "permissions",
      action: "add",
      kind: "tool",
      name,
      effect: "neutral",
      summary: `New tool ${name}, which ${effectWords[spec.effect]} (${spec.sensitivity}, ${undo(spec.reversibility)}). ${pinned}. No agent gains it by this alone.`,
      details: [{ pointer: "/pin", before: null, after: tool.pin }],
    }),
  ];
}

export function removedTool({ qualifiedName: name }: RegisteredTool): PlanChange[] {
  const summary = `The tool ${name} is no longer registered: nobody can call it, and what was accepted of it is forgotten.`;
  return [change({ group: "permissions", action: "remove", kind: "tool", name, effect: "stops", summary })];
}

export function changedTool(before: RegisteredTool, after: RegisteredTool): { changes: PlanChange[]; told: string[] } {
  const name = after.qualifiedName;
  const changes: PlanChange[] = [];
  const say = (effect: PlanChange["effect"], summary: string, details: PlanChange["details"] = []) =>
    changes.push(change({ group: "permissions", action: "change", kind: "tool", name, effect, summary, details }));

  if (before.spec.effect !== after.spec.effect) {
    const wider = rank[after.spec.effect] < rank[before.spec.effect];
    say(
      wider ? "widens" : "narrows",
      `${name} counts as a tool that ${effectWords[after.spec.effect]} (before: ${effectWords[before.spec.effect]}); ${wider ? "lower" : "only higher"} tiers may use it.`,
      [{ pointer: "/effect", before: before.spec.effect, after: after.spec.effect }],
    );
  }
  if (before.pin?.digest !== after.pin?.digest) {
    say("neutral", `What is pinned of ${name} changes.`, [{ pointer: "/pin", before: before.pin, after: after.pin }]);
  }
  if (before.state !== after.state) {
    if (after.state === "accepted") say("widens", `${name} may be called again: its upstream says what was accepted.`);
    if (after.state === "changed") {
      say(
        "stops",
        `${name} IS BLOCKED: its upstream now says something else. See it with remit tools diff and accept it with remit tools accept.`,
      );
    }
    if (after.state === "missing") say("stops", `${name} IS BLOCKED: its upstream no longer offers it.`);
  }
  return { changes, told: ["/effect"] };
}

function undo(reversibility: RegisteredTool["spec"]["reversibility"]): string {
  return { none: "cannot be undone", compensable: "can be made good", reversible: "can be undone" }[reversibility];
}

function firstLine(text: string): string {
  const line = text.split("\n", 1)[0] ?? "";
  return line.length > 100 ? `${line.slice(0, 99)}…` : line;
}
