import type { Issue, PartySpec } from "@remit/contract";
import { isActiveHuman } from "./compose-registry.ts";
import { issueAt } from "./registry-documents.ts";
import type { DocumentIndex, Place } from "./registry-documents.ts";
import type { Registry } from "./registry.ts";

/** A place where a document names who answers for something. */
type Answer = { place: Place; pointer: string; name: string; of: string; before: string | undefined; leaves: string };

/**
 * People answer, machines do not. Whoever is named as accountable or as responsible is an active human, or a team of humans where a
 * team may be. One who was named already and leaves does not keep the change from being applied: a leaver must always be
 * removable. It is said as a warning, and what nobody answers for is suspended.
 */
export function checkAccountability(index: DocumentIndex, before: Registry | null): { issues: Issue[]; warnings: Issue[] } {
  const issues: Issue[] = [];
  const warnings: Issue[] = [];
  for (const answer of answersOf(index, before)) {
    const party = index.get("party", answer.name)?.spec;
    // Not a party at all: a team, or nothing, which checkReferences reports.
    if (party === undefined || isActiveHuman(party)) continue;
    if (party.type === "human" && answer.before === answer.name) {
      warnings.push(issueAt(answer.place, answer.pointer, `${answer.name} is no longer active: ${answer.leaves}; name somebody else`));
    } else {
      issues.push(issueAt(answer.place, answer.pointer, `${answer.name} ${why(party)}; ${answer.of} must be an active human`));
    }
  }
  for (const { spec, place } of index.all("team")) {
    for (const [position, member] of spec.members.entries()) {
      const party = index.get("party", member)?.spec;
      if (party !== undefined && party.type !== "human") {
        issues.push(issueAt(place, `/members/${position}`, `${member} ${why(party)}; members of a team are humans`));
      }
    }
  }
  for (const { spec, place } of index.all("workflow")) {
    if (index.get("agent", spec.responsibilities.execution) !== undefined && spec.responsibilities.execution !== spec.agent) {
      issues.push(
        issueAt(
          place,
          "/responsibilities/execution",
          `execution is the agent's that does the work: "${spec.agent}", not "${spec.responsibilities.execution}"`,
        ),
      );
    }
  }
  return { issues, warnings };
}

function* answersOf(index: DocumentIndex, before: Registry | null): Generator<Answer> {
  for (const { spec, place } of index.all("agent")) {
    yield {
      place,
      pointer: "/accountable",
      name: spec.accountable,
      of: "who answers for an agent",
      before: before?.agents.get(spec.name)?.spec.accountable,
      leaves: `the agent ${spec.name} is suspended and may do nothing`,
    };
  }
  for (const { spec, place } of index.all("workflow")) {
    const was = before?.workflows.get(spec.name);
    yield {
      place,
      pointer: "/accountable",
      name: spec.accountable,
      of: "who answers for a workflow",
      before: was?.accountable,
      leaves: `nobody answers for the workflow ${spec.name}, and its agent ${spec.agent} is suspended`,
    };
    for (const part of ["intent", "constraints"] as const) {
      yield {
        place,
        pointer: `/responsibilities/${part}`,
        name: spec.responsibilities[part],
        of: `who owns the ${part} of a workflow`,
        before: was?.responsibilities[part],
        leaves: `nobody owns the ${part} of the workflow ${spec.name}`,
      };
    }
  }
  for (const kind of ["upstream", "credential", "policy", "queue", "tool"] as const) {
    for (const { spec, place } of index.all(kind)) {
      const name = spec.kind === "tool" ? `${spec.upstream}__${spec.name}` : spec.name;
      yield {
        place,
        pointer: "/owner",
        name: spec.owner,
        of: `the owner of ${kind === "upstream" ? "an" : "a"} ${kind}`,
        before: ownerBefore(before, kind, name),
        leaves: `nobody owns the ${kind} ${name}`,
      };
    }
  }
}

function ownerBefore(
  before: Registry | null,
  kind: "upstream" | "credential" | "policy" | "queue" | "tool",
  name: string,
): string | undefined {
  switch (kind) {
    case "upstream":
      return before?.upstreams.get(name)?.owner;
    case "credential":
      return before?.credentials.get(name)?.owner;
    case "policy":
      return before?.policies.get(name)?.spec.owner;
    case "queue":
      return before?.queues.get(name)?.owner;
    case "tool":
      return before?.tools.get(name)?.spec.owner;
  }
}

function why(party: PartySpec): string {
  return party.type === "human" ? "is not active" : `is a ${party.type}, not a human`;
}
