import type { Decision, Id, RunState } from "@remit/contract";
import type { Transaction } from "../database/database.ts";
import type { Begin } from "./action.journal.ts";

/** What the action path needs of a run: whether it may go on, and how far. */
export type LockedRun = { id: string; state: RunState; actionsUsed: number; actionsBefore: number; maxActions: number; overdue: boolean };

/** Locks the runs of a batch until the end of the transaction, in one order. */
export async function lockRuns(transaction: Transaction, ids: readonly (Id<"run"> | undefined)[]): Promise<Map<string, LockedRun>> {
  const wanted = [...new Set(ids.filter((id) => id !== undefined))].sort();
  if (wanted.length === 0) return new Map();
  const rows = await transaction.query<{ id: string; state: RunState; actions_used: number; max_actions: number; overdue: boolean }>(
    {
      name: "run-lock",
      text: `SELECT id, state, actions_used, max_actions, deadline <= clock_timestamp() AS overdue
             FROM run WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE`,
    },
    [wanted],
  );
  return new Map(
    rows.map((row) => [
      row.id,
      {
        id: row.id,
        state: row.state,
        actionsUsed: row.actions_used,
        actionsBefore: row.actions_used,
        maxActions: row.max_actions,
        overdue: row.overdue,
      },
    ]),
  );
}

/**
 * Why the action's run does not let it happen, or null. An action that a person has granted may be executed after its run has
 * completed: that is what the person decided. Not after somebody stopped the run.
 */
export function denialOfRun(run: LockedRun | "missing" | null, { grant }: Begin): Extract<Decision, { type: "deny" }> | null {
  if (run === null) return null;
  const deny = (code: "run-ended" | "run-limit-reached", reason: string): Extract<Decision, { type: "deny" }> => ({
    type: "deny",
    code,
    reason,
    policies: [],
    shadow: [],
  });
  if (run === "missing") return deny("run-ended", "The run of this token does not exist.");
  if (grant !== null) {
    return run.state === "halted" || run.state === "cancelled"
      ? deny("run-ended", `The run was ${run.state} after the request; nothing of it runs any more.`)
      : null;
  }
  if (run.state !== "running") return deny("run-ended", `The run has ended (${run.state}); start another.`);
  if (run.overdue) return deny("run-limit-reached", "The run has reached its time limit.");
  if (run.actionsUsed >= run.maxActions) return deny("run-limit-reached", `The run has used its ${run.maxActions} actions.`);
  return null;
}

/** Writes how many actions the locked runs have used. */
export function takeFromRuns(transaction: Transaction, runs: ReadonlyMap<string, LockedRun>): void {
  const used = [...runs.values()].filter(({ actionsUsed, actionsBefore }) => actionsUsed !== actionsBefore);
  if (used.length === 0) return;
  transaction.write(
    {
      name: "run-use",
      text: `UPDATE run SET actions_used = used.actions FROM unnest($1::text[], $2::int[]) AS used (id, actions) WHERE run.id = used.id`,
    },
    [used.map(({ id }) => id), used.map(({ actionsUsed }) => actionsUsed)],
  );
}
