import type { Transaction } from "../database/database.ts";

export type StoredCosignature = { size: number; vkey: string; timestamp: number; line: string };

/** A checkpoint with the lines that witnesses wrote under it. */
export type CosignedCheckpoint = { size: number; note: string; at: Date; lines: StoredCosignature[] };

export type SplitView = { digest: string; seenAt: string; what: string; ours: string; theirs: string; at: Date };

/** How it stands with a place that checkpoints are sent to: a witness by its address, or a sink. */
export type AnchorState = { place: string; size: number; failures: number; problem: string | null; isSplit: boolean; sentAt: Date | null };

export type AnchorStore = {
  cosignatures(size: number): Promise<StoredCosignature[]>;
  /** The newest checkpoints that anybody has cosigned. Those whose own row is gone have an empty note. */
  cosigned(limit: number): Promise<CosignedCheckpoint[]>;
  addCosignatures(lines: readonly StoredCosignature[]): Promise<void>;
  /** Takes the work for one place, if it is due and nobody else has it. */
  claim(place: string, leaseMs: number): Promise<AnchorState | null>;
  /** What came of it, and when it is due again. */
  settle(state: AnchorState, nextInMs: number): Promise<void>;
  states(): Promise<AnchorState[]>;
  splitViews(limit: number): Promise<SplitView[]>;
  /** False when it is known already. */
  addSplitView(transaction: Transaction, view: Omit<SplitView, "at">): Promise<boolean>;
};
