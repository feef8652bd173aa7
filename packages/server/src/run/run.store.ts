import type { ActionView, Caller, Id, RunBinding, RunState } from "@remit/contract";
import type { EndState } from "@remit/core";
import type { Queryable, Transaction } from "../database/database.ts";

/** A run as its row has it. Times are milliseconds since 1970. */
export type StoredRun = Omit<Caller, "tokenId" | "expiresAt" | "run"> & {
  id: Id<"run">;
  state: RunState;
  binding: RunBinding;
  startedBy: string;
  leaseUntil: number;
  traceId: string | null;
  reason: string | null;
  startedAt: number;
  endedAt: number | null;
};

export type RunQuery = { state: RunState | null; workflow: string | null; before: string | null; limit: number };

/** Where runs are kept. */
export type RunStore = {
  insert(transaction: Transaction, run: StoredRun): Promise<void>;
  read(on: Queryable, id: Id<"run">): Promise<StoredRun | null>;
  /** Reads it and holds it until the transaction ends. With `skipLocked`, null as well while somebody else holds it. */
  lock(transaction: Transaction, id: Id<"run">, options?: { skipLocked: boolean }): Promise<StoredRun | null>;
  /** Renews the lease of a run that is running. False: it is not. */
  renew(on: Queryable, id: Id<"run">, leaseUntil: number): Promise<boolean>;
  end(transaction: Transaction, id: Id<"run">, end: { state: EndState; reason: string; at: number }): Promise<void>;
  /** Those of these that somebody has cancelled, and why. */
  cancelled(on: Queryable, ids: readonly string[]): Promise<{ id: Id<"run">; reason: string }[]>;
  /** Running, and past lease or deadline. Longest overdue first. */
  due(on: Queryable, at: number, limit: number): Promise<Id<"run">[]>;
  /** Newest first. */
  list(on: Queryable, query: RunQuery): Promise<StoredRun[]>;
};

/** A read model of the action path: the actions of runs. */
export type RunActions = {
  /** How many actions of each run are in each state. Runs without actions are absent. */
  counts(runs: readonly Id<"run">[]): Promise<ReadonlyMap<Id<"run">, Record<string, number>>>;
  /** In the order in which they became visible: whoever reads on from a place misses none. */
  list(run: Id<"run">, query: { after: number | null; limit: number }): Promise<{ place: number; action: ActionView }[]>;
};
