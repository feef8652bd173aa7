import type { HaltMode, HaltScope } from "@remit/contract";
import type { ConfirmedHalt, HaltStore, StoredHalt } from "./halt.store.ts";

const columns = "id, mode, scope, reason, engaged_by, engaged_at, release_requested_by, release_requested_link, released_at";

type Row = {
  id: string;
  mode: HaltMode;
  scope: HaltScope;
  reason: string;
  engaged_by: string;
  engaged_at: Date;
  release_requested_by: string | null;
  release_requested_link: string | null;
  released_at: Date | null;
};

export const haltStore: HaltStore = {
  async insert(transaction, halt, sinceCommandMs) {
    await transaction.query(
      `INSERT INTO halt (id, mode, scope, reason, engaged_by, engaged_at, commanded_at)
       VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp() - $7 * interval '1 ms')`,
      [halt.id, halt.mode, JSON.stringify(halt.scope), halt.reason, halt.engagedBy, halt.engagedAt.toISOString(), sinceCommandMs],
    );
  },
  async confirm(on, id, { instance, name, sinceLastStartMs, cancelled }) {
    await on.query(
      `INSERT INTO halt_confirmation (halt_id, instance, name, last_start_at, cancelled)
       VALUES ($1, $2, $3, clock_timestamp() - $4::float8 * interval '1 ms', $5) ON CONFLICT DO NOTHING`,
      [id, instance, name, sinceLastStartMs, cancelled],
    );
  },
  async confirmations(on, ids) {
    return on.query<ConfirmedHalt>(
      `SELECT c.halt_id AS "haltId", c.instance, c.cancelled, (s.started_at > h.commanded_at) IS TRUE AS "isLater",
         (extract(epoch FROM c.confirmed_at - h.commanded_at) * 1000)::float8 AS "confirmedMs",
         (extract(epoch FROM c.last_start_at - h.commanded_at) * 1000)::float8 AS "lastStartMs"
       FROM halt_confirmation c JOIN halt h ON h.id = c.halt_id LEFT JOIN server_instance s ON s.id = c.instance
       WHERE c.halt_id = ANY ($1) AND h.commanded_at IS NOT NULL`,
      [ids],
    );
  },
  async liveServers(on) {
    return on.query<{ instance: string; name: string }>(
      `SELECT id AS instance, coalesce(name, 'a server of an earlier version') AS name FROM server_instance
       WHERE heartbeat_at > clock_timestamp() - interval '5 seconds' ORDER BY name`,
    );
  },
  async inForce(on) {
    return (await on.query<Row>(`SELECT ${columns} FROM halt WHERE released_at IS NULL ORDER BY id`)).map(toHalt);
  },
  async lock(transaction, id) {
    const [row] = await transaction.query<Row>(`SELECT ${columns} FROM halt WHERE id = $1 FOR UPDATE`, [id]);
    return row === undefined ? null : toHalt(row);
  },
  async requestRelease(transaction, id, { party, link, reason }) {
    await transaction.query("UPDATE halt SET release_requested_by = $2, release_requested_link = $3, release_reason = $4 WHERE id = $1", [
      id,
      party,
      link,
      reason,
    ]);
  },
  async release(transaction, id, by, at) {
    await transaction.query("UPDATE halt SET released_by = $2, released_at = $3 WHERE id = $1", [id, by, at.toISOString()]);
  },
};

function toHalt(row: Row): StoredHalt {
  return {
    id: row.id,
    mode: row.mode,
    scope: row.scope,
    reason: row.reason,
    engagedBy: row.engaged_by,
    engagedAt: row.engaged_at,
    releaseRequestedBy: row.release_requested_by,
    releaseRequestedLink: row.release_requested_link,
    releasedAt: row.released_at,
  };
}
