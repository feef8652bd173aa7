import type { Effect, Id, RequiredApproval, ToolSpec } from "@remit/contract";
import type { Transaction } from "../database/database.ts";

/** What is asked for. The arguments are read from the payload of the action's `action-waiting` entry, so they exist once. */
export type ApprovalRequest = {
  actionId: Id<"action">;
  digest: string;
  tool: string;
  effect: Effect;
  reversibility: ToolSpec["reversibility"];
  environment: string;
  agent: string;
  accountable: string;
  runId: Id<"run"> | null;
  subject: string | null;
  /** The entry whose payload `arguments` holds the exact canonical arguments. */
  argumentsEntry: Id<"entry">;
  reason: string;
  approvals: RequiredApproval[];
  requestedAt: Date;
  traceId?: string | null;
};

export type OpenApproval = { id: Id<"approval">; link: string; expiresAt: Date; teams: string[] };

/** What the action path asks of approvals. */
export type Approvals = {
  /** Opens a request in the transaction that makes the action wait. @throws RemitError `invalid-configuration` when nobody is eligible. */
  request(transaction: Transaction, request: ApprovalRequest): Promise<OpenApproval>;
  /** The request of an action that waits; null once it is decided. */
  open(actionId: Id<"action">): Promise<OpenApproval | null>;
  /** Requests that were granted and have not been used, oldest first: what the executor has to run. */
  granted(limit: number): Promise<{ approvalId: Id<"approval">; actionId: Id<"action">; digest: string; teams: string[] }[]>;
  /** Uses a grant, once, in the transaction of the intent. False: it is no longer there to be used, and nothing may run. */
  consume(transaction: Transaction, approvalId: Id<"approval">, digest: string): Promise<boolean>;
  /** Ends a grant that policy no longer lets execute, in the transaction that ends the action. */
  markStale(transaction: Transaction, approvalId: Id<"approval">, reason: string): Promise<void>;
  /** Called after a grant has committed; a hint only, `granted` is the truth. */
  onGranted(listener: () => void): void;
};

/** What approvals ask of the action path: ending an action that waits, in the transaction of the decision. */
export type WaitingActions = {
  end(
    transaction: Transaction,
    actionId: Id<"action">,
    end: { state: "rejected" | "expired" | "cancelled"; reason: string; actor: string; at: Date },
  ): Promise<void>;
};

/** A read model of the action path: how actions ended, in words for people. Those that have not are absent. */
export type ActionOutcomes = { outcomes(actionIds: readonly Id<"action">[]): Promise<ReadonlyMap<Id<"action">, string>> };
