import type { FaultKind, Id } from "@remit/contract";
import type { FaultStore, StoredFault } from "./fault.store.ts";

const columns =
  "id, environment, upstream, tool, kind, percent, delay_ms, lasts_s, reason, added_by, added_link, added_at, confirmed_by, expires_at, removed_at";

type Row = {
  id: string;
  environment: string;
  upstream: string;
  tool: string | null;
  kind: FaultKind;
  percent: number;
  delay_ms: number;
  lasts_s: number;
  reason: string;
  added_by: string;
  added_link: string;
  added_at: Date;
  confirmed_by: string | null;
  expires_at: Date | null;
  removed_at: Date | null;
};

export const faultStore: FaultStore = {
  async insert(transaction, fault) {
    await transaction.query(
      `INSERT INTO fault (id, environment, upstream, tool, kind, percent, delay_ms, lasts_s, reason, added_by, added_link, added_at, expires_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
      [
        fault.id,
        fault.environment,
        fault.upstream,
        fault.tool,
        fault.kind,
        fault.percent,
        fault.delayMs,
        fault.lastsSeconds,
        fault.reason,
        fault.addedBy,
        fault.addedLink,
        fault.addedAt.toISOString(),
        fault.expiresAt?.toISOString() ?? null,
      ],
    );
  },
  async standing(on, at) {
    const rows = await on.query<Row>(
      `SELECT ${columns} FROM fault WHERE removed_at IS NULL AND (expires_at IS NULL OR expires_at > $1) ORDER BY id`,
      [at.toISOString()],
    );
    return rows.map(toFault);
  },
  async recent(on, limit) {
    return (await on.query<Row>(`SELECT ${columns} FROM fault ORDER BY id DESC LIMIT $1`, [limit])).map(toFault);
  },
  async lock(transaction, id) {
    const [row] = await transaction.query<Row>(`SELECT ${columns} FROM fault WHERE id = $1 FOR UPDATE`, [id]);
    return row === undefined ? null : toFault(row);
  },
  async confirm(transaction, id, by, expiresAt) {
    await transaction.query("UPDATE fault SET confirmed_by = $2, expires_at = $3 WHERE id = $1", [id, by, expiresAt.toISOString()]);
  },
  async remove(transaction, id, by, at) {
    await transaction.query("UPDATE fault SET removed_by = $2, removed_at = $3 WHERE id = $1", [id, by, at.toISOString()]);
  },
};

function toFault(row: Row): StoredFault {
  return {
    id: row.id as Id<"fault">,
    environment: row.environment,
    upstream: row.upstream,
    tool: row.tool,
    kind: row.kind,
    percent: row.percent,
    delayMs: row.delay_ms,
    lastsSeconds: row.lasts_s,
    reason: row.reason,
    addedBy: row.added_by,
    addedLink: row.added_link,
    addedAt: row.added_at,
    confirmedBy: row.confirmed_by,
    expiresAt: row.expires_at,
    removedAt: row.removed_at,
  };
}
