import type { ActionView, Id } from "@remit/contract";
import type { Database } from "../database/database.ts";
import type { RunActions } from "../run/run.store.ts";

/** The actions of runs, for whoever looks at runs or follows one. */
export function createRunActions(database: Database): RunActions {
  return {
    async counts(runs) {
      if (runs.length === 0) return new Map();
      const rows = await database.query<{ run_id: Id<"run">; state: string; count: number }>(
        {
          name: "run-action-counts",
          text: "SELECT run_id, state, count(*)::int AS count FROM action WHERE run_id = ANY($1) GROUP BY run_id, state ORDER BY state",
        },
        [runs],
      );
      const counts = new Map<Id<"run">, Record<string, number>>();
      for (const { run_id, state, count } of rows) counts.set(run_id, { ...counts.get(run_id), [state]: count });
      return counts;
    },

    async list(run, { after, limit }) {
      const rows = await database.query<Row>(
        {
          name: "run-actions",
          text: `SELECT action.place, action.id, action.state, action.tool, action.agent, action.run_id, action.code,
                        coalesce(action.reason, CASE WHEN action.state = 'waiting' THEN approval.reason END) AS reason,
                        approval.id AS approval_id, action.requested_at, action.ended_at
                 FROM action LEFT JOIN approval ON approval.action_id = action.id
                 WHERE action.run_id = $1 AND ($2::bigint IS NULL OR action.place > $2)
                 ORDER BY action.place LIMIT $3`,
        },
        [run, after, limit],
      );
      return rows.map((row) => ({ place: Number(row.place), action: viewOf(row) }));
    },
  };
}

type Row = {
  place: string;
  id: string;
  state: ActionView["state"];
  tool: string;
  agent: string;
  run_id: string;
  code: string | null;
  reason: string | null;
  approval_id: string | null;
  requested_at: Date;
  ended_at: Date | null;
};

function viewOf(row: Row): ActionView {
  return {
    id: row.id,
    state: row.state,
    tool: row.tool,
    agent: row.agent,
    runId: row.run_id,
    code: row.code,
    reason: row.reason,
    approvalId: row.approval_id,
    requestedAt: row.requested_at.toISOString(),
    endedAt: row.ended_at?.toISOString() ?? null,
  };
}
