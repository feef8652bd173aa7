import { terminalEntryTypes } from "@remit/contract";
import type { ShownEntry, ShownPayload, Story, StoryAction, StoryApproval, StoryDecision } from "@remit/contract";

/**
 * Tells what happened from entries alone, given in order. Members of an entry that are missing or of another kind are null:
 * an old entry must be readable by a newer Remit, and a strange one must not hide the others.
 */
export function story(id: string, entries: readonly ShownEntry[], truncated = false): Story {
  const actions = new Map<string, ShownEntry[]>();
  const others: Story["others"] = [];
  for (const entry of entries) {
    const { actionid } = entry.event;
    if (actionid === undefined) others.push({ seq: entry.seq, event: entry.event });
    else actions.set(actionid, [...(actions.get(actionid) ?? []), entry]);
  }
  const times = entries.map(({ event }) => event.time).sort();
  return {
    id,
    runs: distinct(entries.map(({ event }) => event.runid)),
    agents: distinct(entries.map(({ event }) => agentOf(event.actor) ?? text(event.data["agent"]))),
    traceIds: distinct(entries.map(({ event }) => event.traceid)),
    startedAt: times[0] ?? "",
    endedAt: times.at(-1) ?? "",
    actions: [...actions].map(([actionId, own]) => storyAction(actionId, own)),
    others,
    entries: {
      sequenced: entries.filter(({ seq }) => seq !== null).length,
      pending: entries.filter(({ seq }) => seq === null).length,
    },
    truncated,
  };
}

function storyAction(id: string, entries: readonly ShownEntry[]): StoryAction {
  const own = entries.filter(({ event }) => event.type.startsWith("remit.action-"));
  const first = <Value>(read: (entry: ShownEntry) => Value | null | undefined): Value | null => {
    for (const entry of [...own, ...entries]) {
      const value = read(entry);
      if (value !== null && value !== undefined) return value;
    }
    return null;
  };
  const member = (name: string): string | null => first(({ event }) => text(event.data[name]));
  const payload = (name: string): ShownPayload | null => first(({ payloads }) => payloads[name]);
  const end = own.findLast(({ event }) => terminal.has(typeOf(event.type))) ?? null;
  const last = own.at(-1);
  return {
    id,
    runId: first(({ event }) => event.runid),
    state: last === undefined ? "unknown" : stateOf(typeOf((end ?? last).event.type)),
    tool: member("tool"),
    effect: member("effect"),
    environment: member("environment"),
    agent: first(({ event }) => agentOf(event.actor) ?? text(event.data["agent"])),
    version: member("version"),
    accountable: member("accountable"),
    policy: member("policy"),
    digest: member("digest"),
    traceId: first(({ event }) => event.traceid),
    startedAt: entries[0]?.event.time ?? "",
    endedAt: end?.event.time ?? null,
    arguments: payload("arguments"),
    // What an upstream said of a failure stands in the place of a result.
    result: payload("result") ?? payload("failure"),
    decisions: own.flatMap(decisionOf),
    approvals: storyApprovals(entries),
    outcome: end === null ? null : outcomeOf(end),
    entries: entries.map(storyEntry),
  };
}

const verdicts: Record<string, StoryDecision["verdict"]> = {
  "action-intended": "allow",
  "action-waiting": "require-approval",
  "action-denied": "deny",
};

function decisionOf({ seq, event }: ShownEntry): StoryDecision[] {
  const verdict = verdicts[typeOf(event.type)];
  if (verdict === undefined) return [];
  const { data } = event;
  return [
    {
      verdict,
      at: event.time,
      seq,
      code: text(data["code"]),
      reason: text(data["reason"]),
      policies: list(data["policies"]).filter((policy) => typeof policy === "string"),
      policyDigest: text(data["policyDigest"]),
      facts: record(data["facts"]),
      obligations: list(data["obligations"]),
      approvals: list(data["approvals"]),
      shadow: list(data["shadow"]),
    },
  ];
}

function outcomeOf({ seq, event }: ShownEntry): StoryAction["outcome"] {
  const { code, reason, durationMs, attempts, injected } = event.data;
  return {
    type: stateOf(typeOf(event.type)),
    at: event.time,
    seq,
    code: text(code),
    reason: text(reason),
    durationMs: typeof durationMs === "number" ? durationMs : null,
    attempts: Math.max(1, list(attempts).length),
    injected: distinct(list(injected).map((each) => text((each as { kind?: unknown } | null)?.kind))),
  };
}

/** Every request for approval that these entries are about, from asking to its end. */
export function storyApprovals(entries: readonly ShownEntry[]): StoryApproval[] {
  const byId = new Map<string, ShownEntry[]>();
  for (const entry of entries) {
    const { approvalid, type } = entry.event;
    if (approvalid === undefined || !type.startsWith("remit.approval-")) continue;
    byId.set(approvalid, [...(byId.get(approvalid) ?? []), entry]);
  }
  return [...byId].map(([id, own]) => {
    const request = own.find(({ event }) => typeOf(event.type) === "approval-requested")?.event ?? null;
    const states = own.map(({ event }) => typeOf(event.type).slice("approval-".length)).filter((state) => approvalStates.has(state));
    return {
      id,
      state: states.at(-1) ?? "pending",
      requestedAt: request?.time ?? null,
      reason: text(request?.data["reason"]),
      digest: text(request?.data["digest"]),
      requirements: list(request?.data["requirements"]),
      votes: own
        .filter(({ event }) => typeOf(event.type) === "approval-voted")
        .map(({ seq, event, payloads }) => ({
          by: event.actor,
          vote: text(event.data["vote"]) ?? "unknown",
          at: event.time,
          seq,
          comment: payloads["comment"] ?? null,
        })),
      entries: own.map(storyEntry),
    };
  });
}

const approvalStates: ReadonlySet<string> = new Set(["granted", "denied", "expired", "cancelled", "consumed", "stale"]);

const terminal: ReadonlySet<string> = new Set(terminalEntryTypes);

function stateOf(type: string): string {
  const state = type.slice("action-".length);
  return state === "intended" ? "executing" : state;
}

function storyEntry({ seq, event }: ShownEntry): StoryAction["entries"][number] {
  return { seq, id: event.id, type: typeOf(event.type), at: event.time, actor: event.actor };
}

function typeOf(type: string): string {
  return type.slice("remit.".length);
}

function agentOf(actor: string): string | null {
  return actor.startsWith("agent:") ? actor.slice("agent:".length) : null;
}

function distinct(values: readonly (string | null | undefined)[]): string[] {
  return [...new Set(values.filter((value) => value !== null && value !== undefined))];
}

function text(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

function record(value: unknown): StoryDecision["facts"] {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : null;
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
