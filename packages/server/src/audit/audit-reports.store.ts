import type { RecordedEvent } from "@remit/contract";

export type SequencedEvent = RecordedEvent & { seq: number };

/** What reports read of the ledger beyond its entries one after the other. */
export type AuditReportsStore = {
  /** How each of these actions ended; one that has not is not in it. */
  endsOf(actionIds: readonly string[]): Promise<Map<string, SequencedEvent>>;
  /** The executions of a run after a place in the ledger. */
  following(runId: string, seq: number, limit: number): Promise<SequencedEvent[]>;
  /** Everything about these requests for approval, in order. */
  aboutApprovals(approvalIds: readonly string[]): Promise<SequencedEvent[]>;
};
