import type { EntryType, LedgerEvent, NewEntry, PayloadCommitment } from "@remit/contract";
import { entryTypes, RemitError } from "@remit/contract";

/** The event of an entry: what its canonical JSON is hashed of. */
export function entryEvent(entry: NewEntry, commitments: Record<string, PayloadCommitment>, source: string): LedgerEvent {
  if (!typeNames.has(entry.type)) throw refuse(`there is no entry type "${entry.type}"`, "/type");
  if (!timestamp.test(entry.at)) throw refuse("the time is expected in ISO 8601, UTC, with milliseconds", "/at");
  if (Object.hasOwn(entry.data, "payloads")) throw refuse('"payloads" is reserved for the commitments', "/data/payloads");
  // In canonical order, in which it is written: nobody has to sort it.
  return {
    ...(entry.actionId === undefined ? {} : { actionid: entry.actionId }),
    actor: entry.actor,
    ...(entry.approvalId === undefined ? {} : { approvalid: entry.approvalId }),
    data: Object.keys(commitments).length === 0 ? entry.data : { ...entry.data, payloads: commitments },
    datacontenttype: "application/json",
    id: entry.id,
    ...(entry.runId === undefined ? {} : { runid: entry.runId }),
    source,
    specversion: "1.0",
    time: entry.at,
    ...(entry.traceId === undefined ? {} : { traceid: entry.traceId }),
    type: `${typePrefix}${entry.type}`,
  };
}

/** What is kept beside the body so that it can be searched. Follows from the body alone; the verifier compares them. */
export type EntryColumns = {
  id: string;
  type: string;
  at: string;
  actor: string;
  /** Which agent it concerns, whoever acted. */
  agent: string | null;
  tool: string | null;
  actionId: string | null;
  runId: string | null;
  approvalId: string | null;
  traceId: string | null;
};

export function entryColumns(event: LedgerEvent): EntryColumns {
  const { agent, tool } = event.data;
  return {
    id: event.id,
    type: event.type.slice(typePrefix.length),
    at: event.time,
    actor: event.actor,
    agent: typeof agent === "string" ? agent : event.actor.startsWith("agent:") ? event.actor.slice("agent:".length) : null,
    tool: typeof tool === "string" ? tool : null,
    actionId: event.actionid ?? null,
    runId: event.runid ?? null,
    approvalId: event.approvalid ?? null,
    traceId: event.traceid ?? null,
  };
}

const typePrefix = "remit.";
const typeNames: ReadonlySet<string> = new Set<EntryType>(entryTypes);
const timestamp = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

function refuse(what: string, pointer: string): RemitError {
  return new RemitError("invalid-request", `This is not an entry of the ledger: ${what}`, { issues: [{ message: what, pointer }] });
}
