import type { RecordedEvent } from "@remit/contract";

export type SequencedEvent = RecordedEvent & { seq: number };

/** What reports read of the ledger beyond its entries one after the other. */
export type AuditReportsStore = {
  /** How each of these actions ended; one that has not is not in it. */
  endsOf(actionIds: readonly string[]): Promise<Map<string, SequencedEvent>>;
  /** The executions of a run after a place in the ledger. */
  following(runId: string, seq: number, limit: number): Promise<SequencedEvent[]>;
  /** The agents and the tools that they executed since then. */
  usedSince(since: Date): Promise<{ agent: string; tool: string }[]>;
  /** When the ledger begins; null while it is empty. */
  begins(): Promise<Date | null>;
  /** How many entries of these types there are from one place in the ledger to another (null: to the end). */
  countBetween(types: readonly string[], from: number, to: number | null): Promise<Record<string, number>>;
  /** Everything about these requests for approval, in order. */
  aboutApprovals(approvalIds: readonly string[]): Promise<SequencedEvent[]>;
};
