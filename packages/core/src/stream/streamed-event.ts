import { eventTypePrefix } from "@remit/contract";
import type { LedgerEvent, StreamedEvent } from "@remit/contract";

/** What is known of an entry besides its body: of what it is about, though its body does not say. */
export type EntryContext = { seq: number; runId: string | null; agent: string | null };

/** An entry as it is sent out. Follows from the entry and its place alone: sent again, it is the same to the byte. */
export function streamedEvent(event: LedgerEvent, { seq, runId, agent }: EntryContext): StreamedEvent {
  const run = event.runid ?? runId ?? undefined;
  const subject = run ?? event.actionid ?? event.approvalid;
  return {
    specversion: "1.0",
    id: event.id,
    source: event.source,
    type: eventTypePrefix + event.type.slice("remit.".length),
    ...(subject === undefined ? {} : { subject }),
    time: event.time,
    datacontenttype: "application/json",
    sequence: String(seq).padStart(16, "0"),
    ...(event.traceid === undefined ? {} : { traceparent: `00-${event.traceid}-${parentId(event.id)}-00` }),
    actor: event.actor,
    ...(agent === null ? {} : { agent }),
    ...(run === undefined ? {} : { runid: run }),
    ...(event.actionid === undefined ? {} : { actionid: event.actionid }),
    ...(event.approvalid === undefined ? {} : { approvalid: event.approvalid }),
    data: event.data,
  };
}

/** Trace context must name a parent that is not all zeros; the ledger knows of no span, so the entry stands for it. */
function parentId(entryId: string): string {
  const digits = entryId.replace(/^[a-z]+_/, "").slice(-16);
  return /^[0-9a-f]{16}$/.test(digits) && !/^0+$/.test(digits) ? digits : "0000000000000001";
}
