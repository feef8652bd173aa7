import type { ApprovalState, Id, ToolSpec } from "@remit/contract";
import type { Approval } from "@remit/core";
import type { Queryable, Transaction } from "../database/database.ts";

/** A request as its row has it. Times are milliseconds since 1970. */
export type StoredApproval = Approval & {
  id: Id<"approval">;
  actionId: Id<"action">;
  tool: string;
  reversibility: ToolSpec["reversibility"];
  environment: string;
  agent: string;
  runId: Id<"run"> | null;
  subject: string | null;
  argumentsEntry: Id<"entry">;
  reason: string;
  escalateAt: number | null;
  usableUntil: number | null;
  decidedAt: number | null;
  endedReason: string | null;
  /** Of its action. */
  traceId?: string | null;
};

export type Granted = { approvalId: Id<"approval">; actionId: Id<"action">; digest: string; teams: string[] };
export type Consumed = { actionId: Id<"action">; runId: Id<"run"> | null; traceId?: string | null };

/** Where requests are kept. */
export type ApprovalStore = {
  insert(transaction: Transaction, approval: StoredApproval): Promise<void>;
  read(on: Queryable, id: Id<"approval">): Promise<StoredApproval | null>;
  pendingOf(on: Queryable, actionId: Id<"action">): Promise<StoredApproval | null>;
  /** Reads it and holds it until the transaction ends. With `skipLocked`, null as well while somebody else holds it. */
  lock(transaction: Transaction, id: Id<"approval">, options?: { skipLocked: boolean }): Promise<StoredApproval | null>;
  /** The undecided and unused requests of a run, held, oldest first. */
  lockOpenOfRun(transaction: Transaction, runId: Id<"run">): Promise<StoredApproval[]>;
  /** Writes what came of it. What was asked cannot be written again. */
  update(transaction: Transaction, approval: StoredApproval): Promise<void>;
  /** From `granted` to `consumed`, once, for this digest and in time; null: not there to be used. */
  consume(transaction: Transaction, id: Id<"approval">, digest: string, at: number): Promise<Consumed | null>;
  /** Usable grants, oldest first. */
  granted(on: Queryable, at: number, limit: number): Promise<Granted[]>;
  /** Which requests something has to happen to by now: expiry or escalation. Longest overdue first. */
  due(on: Queryable, at: number, limit: number): Promise<Id<"approval">[]>;
  /** Newest first, those before a position. */
  list(on: Queryable, query: { states: readonly ApprovalState[] | null; before: string | null; limit: number }): Promise<StoredApproval[]>;
};
