import type { ActionState, Caller, Decision, Effect, ErrorCode, Id, NewEntry, TerminalState } from "@remit/contract";
import type { Draw } from "@remit/core";
import type { ApprovalRequest, OpenApproval } from "../approval/approvals.ts";
import type { Committed } from "../ledger/ledger.ts";

/** Numbers that policies may read of what has already been done. Read under lock, so that no two actions decide on the same ones. */
export type Counted = { runActions: number; actionsThisMinute: number; actionsToday: number; amountToday: number };

/** The windows behind {@link Counted}; null where the caller's policy reads none of them. */
export type CountedKeys = { minute: string; day: string; amount: string } | null;

/** What is written of an action before anything happens. */
export type Attempted = {
  id: Id<"action">;
  digest: string;
  caller: Caller;
  tool: string;
  effect: Effect;
  idempotencyKey: string | null;
  /** A call with the same key is the same action; null: every call is its own. */
  attachKey: string | null;
  argumentsEntry: Id<"entry">;
  traceId: string | null;
  at: Date;
};

export type Begin = {
  action: Attempted;
  /** The control state under which this was judged; null: it is refused under any. */
  epoch: number | null;
  counted: CountedKeys;
  amount: number | null;
  /** The decision. Called once, under lock; must not do I/O. */
  decide(counted: Counted): Decision;
  /** What an allowed action draws on. */
  draws(decision: Decision): Draw[];
  entries: {
    intended(decision: Extract<Decision, { type: "allow" }>): NewEntry;
    denied(decision: Extract<Decision, { type: "deny" }>): NewEntry;
    waiting(decision: Extract<Decision, { type: "require-approval" }>): NewEntry;
  };
  request(decision: Extract<Decision, { type: "require-approval" }>): Omit<ApprovalRequest, "actionId" | "digest">;
  /** How many calls of the agent may wait for people at a time; null: its run bounds them. */
  waitingLimit?: number | null;
  /** Set when a grant is being used: the action waits already, and begins now. */
  grant: { approvalId: Id<"approval"> } | null;
};

export type Begun =
  | { type: "intended"; decision: Extract<Decision, { type: "allow" }>; intent: Committed<"intent"> }
  | { type: "denied"; decision: Extract<Decision, { type: "deny" }> }
  | { type: "waiting"; decision: Extract<Decision, { type: "require-approval" }>; approval: OpenApproval }
  /** The call is one that is known already. */
  | { type: "attached"; actionId: Id<"action">; sameDigest: boolean }
  /** Control state has changed since this was judged; judge again. Nothing was written. */
  | { type: "stale" }
  /** The grant had been used or ended. Nothing was written. */
  | { type: "gone" };

export type End = {
  actionId: Id<"action">;
  state: Exclude<TerminalState, "denied">;
  code: ErrorCode | null;
  reason: string | null;
  entry: NewEntry;
  /** Entries that follow from it: who is told. */
  also: NewEntry[];
  /** The entry that holds the result's payload. */
  resultEntry: Id<"entry"> | null;
  /** False when it is certain that the amount was not moved: it is given back. */
  amountSpent: boolean;
};

/** Why a lost action is `unknown`, in words. */
export const lostReason = "The server that executed it was lost. Whether it happened is not known.";

/** An action as its row has it. */
export type ActionRow = {
  id: Id<"action">;
  digest: string;
  state: ActionState;
  tool: string;
  caller: Caller;
  idempotencyKey: string | null;
  argumentsEntry: Id<"entry">;
  resultEntry: Id<"entry"> | null;
  code: ErrorCode | null;
  reason: string | null;
  traceId: string | null;
  requestedAt: Date;
};

/**
 * Where actions are kept. Every function that changes one writes its ledger entry in the same transaction, and every action
 * leaves `executing` once: whoever comes second changes nothing and records nothing.
 */
export type ActionJournal = {
  /** Decides under lock, reserves, and commits intent, denial or waiting: nothing may run before this has returned `intended`. */
  begin(begin: Begin): Promise<Begun>;
  /** Commits an outcome and settles. False: the action had already ended otherwise. */
  finish(end: End): Promise<boolean>;
  read(id: Id<"action">): Promise<ActionRow | null>;
  /** Ends as `unknown` what a lost server had in flight, and what this one began and does not see to. */
  endLost(isHeld: (id: Id<"action">) => boolean, entries: (row: ActionRow) => Pick<End, "entry" | "also">): Promise<ActionRow[]>;
  /** Forgets budget windows that nothing can draw on any more. How many. */
  forgetWindows(): Promise<number>;
  idle(): Promise<void>;
};
