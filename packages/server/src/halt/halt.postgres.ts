import type { HaltMode, HaltScope } from "@remit/contract";
import type { HaltStore, StoredHalt } from "./halt.store.ts";

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
  async insert(transaction, halt) {
    await transaction.query("INSERT INTO halt (id, mode, scope, reason, engaged_by, engaged_at) VALUES ($1, $2, $3, $4, $5, $6)", [
      halt.id,
      halt.mode,
      JSON.stringify(halt.scope),
      halt.reason,
      halt.engagedBy,
      halt.engagedAt.toISOString(),
    ]);
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
