import type { Database } from "../database/database.ts";
import type { UsedStates } from "./used-states.ts";

/** `now`: the clock that states expire by. */
export function createUsedStates(database: Database, now: () => Date): UsedStates {
  return {
    async use(id, expiresAt) {
      await database.query("DELETE FROM used_state WHERE expires_at < $1::timestamptz - interval '1 hour'", [now().toISOString()]);
      const rows = await database.query(
        "INSERT INTO used_state (id, expires_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING RETURNING id",
        [id, expiresAt],
      );
      return rows.length === 1;
    },
    async isUsed(id) {
      return (await database.query("SELECT 1 FROM used_state WHERE id = $1", [id])).length === 1;
    },
  };
}
