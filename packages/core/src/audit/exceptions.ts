import type { Exception, ExceptionKind, RecordedEvent } from "@remit/contract";

type Sequenced = RecordedEvent & { seq: number };
type Found = { kind: ExceptionKind; what: string };

/** What no agent's token may outlive, in seconds. */
export const longestTokenSeconds = 300;

/**
 * What is out of the ordinary about an entry. Most are nothing; an entry of a kind that this version does not know is nothing either,
 * for it is in the ledger all the same.
 */
export function exceptionsOf({ seq, event }: Sequenced): Exception[] {
  const look = reasons[event.type.replace(/^remit\./, "")];
  if (look === undefined) return [];
  return look(event).map(({ kind, what }) => ({
    kind,
    seq,
    entryId: event.id,
    at: event.time,
    actor: event.actor,
    actionId: event.actionid ?? null,
    what,
  }));
}

type Event = RecordedEvent["event"];

const shadowed = ({ data, type }: Event): Found[] =>
  members(data["shadow"]).map(({ policy, verdict }) => ({
    kind: "shadow-differs",
    what: `The shadow policy ${word(policy)} would have said ${word(verdict)}, where ${decided[type] ?? "something else"} was decided.`,
  }));

const decided: Record<string, string> = {
  "remit.action-intended": "allow",
  "remit.action-waiting": "require-approval",
  "remit.action-denied": "deny",
};

/** The machine key is whoever owns the data folder, and no person: what it is used for, people should know of. */
const byMachine = (event: Event, what: string): Found[] => (event.actor === "service:machine" ? [{ kind: "break-glass", what }] : []);

const reasons: Record<string, (event: Event) => Found[]> = {
  "action-intended": shadowed,
  "action-waiting": shadowed,
  "action-denied": shadowed,
  "action-unknown": ({ data }) => [
    { kind: "unknown-outcome", what: `Whether ${word(data["tool"])} was done is not known: ${word(data["reason"])}` },
  ],
  "approval-granted": ({ data }) => {
    const by = texts(data["approvedBy"]);
    return by.length > 0 && by.includes(word(data["accountable"]))
      ? [{ kind: "approved-by-owner", what: `${word(data["accountable"])}, who answers for the agent, was among those who approved.` }]
      : [];
  },
  "approval-delegated": ({ data }) => [
    { kind: "delegated-approval", what: `${word(data["from"])} asked ${word(data["to"])} to decide instead.` },
  ],
  "link-issued": (event) => byMachine(event, `A login link for ${word(event.data["party"])} was made with the machine key.`),
  "registry-applied": (event) => byMachine(event, "The registry was applied with the machine key: no person answers for it."),
  "secret-issued": (event) => byMachine(event, `A secret of ${word(event.data["agent"])} was issued with the machine key.`),
  "tool-accepted": (event) => [
    { kind: "changed-tool-accepted", what: `What the upstream says of ${word(event.data["tool"])} had changed, and was accepted.` },
  ],
  "upstream-started": ({ data }) => {
    const how = data["containment"] as { by?: unknown; because?: unknown } | undefined;
    return how?.by === "nothing"
      ? [{ kind: "waiver", what: `The upstream ${word(data["upstream"])} was started without containment: ${word(how.because)}` }]
      : [];
  },
  "halt-engaged": ({ data }) => [{ kind: "halt", what: `${word(data["mode"])} was engaged: ${word(data["reason"])}` }],
  "halt-released": ({ data }) => [{ kind: "halt", what: `A halt was released: ${word(data["reason"])}` }],
  "fault-added": ({ data }) => [
    { kind: "injected-fault", what: `A fault (${word(data["kind"])}) was added on purpose in ${word(data["environment"])}.` },
  ],
  "server-lost": ({ data }) => [{ kind: "server-lost", what: `The server ${word(data["instance"])} was lost.` }],
  "token-issued": ({ time, data }) => {
    const seconds = (Date.parse(word(data["expiresAt"])) - Date.parse(time)) / 1_000;
    return seconds > longestTokenSeconds + 1
      ? [{ kind: "long-lived-token", what: `A token is good for ${Math.round(seconds)} s; ${longestTokenSeconds} s is the limit.` }]
      : [];
  },
};

function members(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.filter((each): each is Record<string, unknown> => typeof each === "object" && each !== null) : [];
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === "string") : [];
}

function word(value: unknown): string {
  return typeof value === "string" && value !== "" ? value : "?";
}
