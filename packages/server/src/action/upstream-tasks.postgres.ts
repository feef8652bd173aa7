import type { Id } from "@remit/contract";
import type { Database } from "../database/database.ts";
import type { UpstreamTaskStore } from "./upstream-tasks.store.ts";

export function createUpstreamTaskStore(database: Database): UpstreamTaskStore {
  return {
    async add({ actionId, upstream, task, at }) {
      await database.query(
        "INSERT INTO upstream_task (action_id, upstream, task, began_at) VALUES ($1, $2, $3, $4) ON CONFLICT (action_id) DO NOTHING",
        [actionId, upstream, task, at],
      );
    },
    async remove(actionId) {
      await database.query("DELETE FROM upstream_task WHERE action_id = $1", [actionId]);
    },
    async cancel(actionId, by) {
      const rows = await database.query(
        "UPDATE upstream_task SET cancelled_by = coalesce(cancelled_by, $2) WHERE action_id = $1 RETURNING action_id",
        [actionId, by],
      );
      return rows.length > 0;
    },
    async cancelled(actionIds) {
      const rows = await database.query<{ action_id: Id<"action">; cancelled_by: string }>(
        "SELECT action_id, cancelled_by FROM upstream_task WHERE action_id = ANY ($1) AND cancelled_by IS NOT NULL",
        [actionIds],
      );
      return rows.map((row) => ({ actionId: row.action_id, by: row.cancelled_by }));
    },
    async all() {
      const rows = await database.query<{ action_id: Id<"action">; upstream: string; task: string }>(
        "SELECT action_id, upstream, task FROM upstream_task",
      );
      return rows.map(({ action_id: actionId, upstream, task }) => ({ actionId, upstream, task }));
    },
  };
}
