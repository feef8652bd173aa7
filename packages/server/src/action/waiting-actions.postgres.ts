import type { Caller, Id, IdKind } from "@remit/contract";
import type { ActionOutcomes, WaitingActions } from "../approval/approvals.ts";
import type { Database } from "../database/database.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { RegistrySource } from "../registry/registry-source.ts";
import type { Tracing } from "../telemetry/tracing.ts";
import { attribution } from "./action-entries.ts";
import { traceApprovalWait } from "./action-trace.ts";

/** What approvals ask of actions: ending one that waits, and reading how they ended. */
export function createWaitingActions(options: {
  database: Database;
  ledger: Pick<Ledger, "append">;
  tracing: Pick<Tracing, "start" | "exporting" | "semconv">;
  registry: RegistrySource;
  newId: <K extends IdKind>(kind: K) => Id<K>;
}): WaitingActions & ActionOutcomes {
  return {
    async end(transaction, actionId, { state, reason, actor, at }) {
      const [row] = await transaction.query<{ tool: string; caller: Caller; trace_id: string | null; requested_at: Date }>(
        `UPDATE action SET state = $2, reason = $3, ended_at = $4 WHERE id = $1 AND state = 'waiting'
         RETURNING tool, caller, trace_id, requested_at`,
        [actionId, state, reason, at.toISOString()],
      );
      // It has begun or ended otherwise: that is recorded already, and once.
      if (row === undefined) return;
      await options.ledger.append(transaction, [
        {
          id: options.newId("entry"),
          type: `action-${state}`,
          at: at.toISOString(),
          ...attribution({ actionId, caller: row.caller, traceId: row.trace_id }),
          actor,
          data: { tool: row.tool, reason },
        },
      ]);
      const { tool, caller, trace_id: traceId, requested_at: requestedAt } = row;
      transaction.onCommit(() => traceApprovalWait(options, { id: actionId, tool, caller, traceId, requestedAt }, { outcome: state, at }));
    },
    async outcomes(actionIds) {
      const rows = await options.database.query<{ id: string; state: string; reason: string | null }>(
        `SELECT id, state, reason FROM action WHERE id = ANY($1) AND state NOT IN ('waiting', 'executing')`,
        [actionIds],
      );
      return new Map(rows.map(({ id, state, reason }) => [id as Id<"action">, reason === null ? state : `${state}: ${reason}`]));
    },
  };
}
