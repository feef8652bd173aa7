import type { PartySpec, PlanChange, TeamSpec } from "@remit/contract";
import { change, gainedAndLost, listed } from "./plan-words.ts";

export function addedParty(party: PartySpec): PlanChange[] {
  const roles = party.roles.length === 0 ? "" : `, with the role ${listed(party.roles)}`;
  const summary = `New ${party.type} ${party.name} (${party.displayName})${roles}${party.active ? "" : ", not active"}.`;
  const powerful = party.active && party.roles.length > 0;
  const [group, effect] = powerful ? (["permissions", "widens"] as const) : (["people", "neutral"] as const);
  return [change({ group, action: "add", kind: "party", name: party.name, effect, summary })];
}

export function removedParty(party: PartySpec): PlanChange[] {
  const summary = `${party.name} (${party.displayName}) is removed: sessions end, and nothing can be decided by that name.`;
  return [change({ group: "permissions", action: "remove", kind: "party", name: party.name, effect: "stops", summary })];
}

export function changedParty(before: PartySpec, after: PartySpec): { changes: PlanChange[]; told: string[] } {
  const { name } = after;
  const changes: PlanChange[] = [];
  const say = (effect: PlanChange["effect"], summary: string) =>
    changes.push(change({ group: "permissions", action: "change", kind: "party", name, effect, summary }));
  if (before.active && !after.active)
    say("stops", `${name} is deactivated: sessions end, and ${name} can neither answer for agents nor approve.`);
  if (!before.active && after.active) say("widens", `${name} is active again.`);
  const roles = gainedAndLost(before.roles, after.roles);
  if (roles.gained.length > 0) say("widens", `${name} becomes ${listed(roles.gained)}.`);
  if (roles.lost.length > 0) say("narrows", `${name} is no longer ${listed(roles.lost)}.`);
  return { changes, told: ["/active", "/roles"] };
}

export function addedTeam(team: TeamSpec): PlanChange[] {
  const asked = team.approval === undefined ? "" : ` It can be asked for approvals; ${quorumWords(team)}.`;
  const summary = `New team ${team.name}: ${listed(team.members)}.${asked}`;
  const group = team.approval === undefined ? "people" : "permissions";
  return [change({ group, action: "add", kind: "team", name: team.name, effect: "neutral", summary })];
}

export function removedTeam(team: TeamSpec): PlanChange[] {
  const summary = `The team ${team.name} is removed${team.approval === undefined ? "" : " and can no longer be asked for approvals"}.`;
  const group = team.approval === undefined ? "people" : "permissions";
  return [change({ group, action: "remove", kind: "team", name: team.name, effect: "narrows", summary })];
}

export function changedTeam(before: TeamSpec, after: TeamSpec): { changes: PlanChange[]; told: string[] } {
  const { name } = after;
  const changes: PlanChange[] = [];
  const approves = before.approval !== undefined || after.approval !== undefined;
  const say = (effect: PlanChange["effect"], summary: string) =>
    changes.push(change({ group: approves ? "permissions" : "people", action: "change", kind: "team", name, effect, summary }));
  const members = gainedAndLost(before.members, after.members);
  if (members.gained.length > 0) say("widens", `${listed(members.gained)} joins ${name}${approves ? " and may approve in its name" : ""}.`);
  if (members.lost.length > 0)
    say("narrows", `${listed(members.lost)} leaves ${name}${approves ? " and may no longer approve in its name" : ""}.`);
  if (before.approval === undefined && after.approval !== undefined)
    say("neutral", `${name} can be asked for approvals; ${quorumWords(after)}.`);
  if (before.approval !== undefined && after.approval === undefined) say("narrows", `${name} can no longer be asked for approvals.`);
  if (before.approval !== undefined && after.approval !== undefined) {
    if (before.approval.quorum !== after.approval.quorum) {
      const fewer = after.approval.quorum < before.approval.quorum;
      say(fewer ? "widens" : "narrows", `${name} approves when ${quorumWords(after)} (before: ${before.approval.quorum}).`);
    }
    if (before.approval.expiresAfter !== after.approval.expiresAfter) {
      say(
        "neutral",
        `A request to ${name} ends after ${after.approval.expiresAfter} without an answer (before: ${before.approval.expiresAfter}).`,
      );
    }
    if (before.approval.escalateTo !== after.approval.escalateTo || before.approval.escalateAfter !== after.approval.escalateAfter) {
      const next = after.approval.escalateTo;
      say(
        "neutral",
        next === undefined
          ? `A request that ${name} does not answer goes to nobody else.`
          : `A request that ${name} does not answer goes to ${next} after ${after.approval.escalateAfter ?? "it has expired"}.`,
      );
    }
  }
  return { changes, told: ["/members", "/approval"] };
}

function quorumWords(team: TeamSpec): string {
  const quorum = team.approval?.quorum ?? 1;
  return quorum === 1 ? "one member says yes" : `${quorum} members say yes`;
}
