import type { Id } from "@remit/contract";
import type { LeaseStore } from "./lease.store.ts";
import type { LeaseScope, StoredLease, Undo } from "./leases.ts";

type Row = {
  id: string;
  upstream: string;
  credentials: string[];
  secrets: string[];
  agent: string | null;
  run_id: string | null;
  environment: string | null;
  person: string | null;
  issued_at: Date;
  expires_at: Date;
  ended_at: Date | null;
  ended_reason: string | null;
};

const columns = "id, upstream, credentials, secrets, agent, run_id, environment, person, issued_at, expires_at, ended_at, ended_reason";

export const leaseStore: LeaseStore = {
  async insert(transaction, lease) {
    await transaction.query(
      `INSERT INTO credential_lease (id, upstream, credentials, secrets, agent, run_id, environment, person, issued_at, expires_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
      [
        lease.id,
        lease.upstream,
        lease.credentials,
        lease.secrets,
        lease.agent,
        lease.run,
        lease.environment,
        lease.person,
        lease.issuedAt.toISOString(),
        lease.expiresAt.toISOString(),
      ],
    );
  },
  async extend(on, id, expiresAt) {
    const rows = await on.query("UPDATE credential_lease SET expires_at = $2 WHERE id = $1 AND ended_at IS NULL RETURNING id", [
      id,
      expiresAt.toISOString(),
    ]);
    return rows.length > 0;
  },
  async end(on, id, at, reason) {
    await on.query("UPDATE credential_lease SET ended_at = $2, ended_reason = $3 WHERE id = $1 AND ended_at IS NULL", [
      id,
      at.toISOString(),
      reason,
    ]);
  },
  async endScope(transaction, scope, at, reason) {
    if (scope.type === "tool") return [];
    const rows = await transaction.query<{ id: string }>(
      `UPDATE credential_lease SET ended_at = $2, ended_reason = $3 WHERE ended_at IS NULL AND ${covered[scope.type]} RETURNING id`,
      [scope.type === "everything" ? null : scope.name, at.toISOString(), reason],
    );
    return rows.map(({ id }) => id);
  },
  async endDue(on, at) {
    const rows = await on.query(
      "UPDATE credential_lease SET ended_at = $1, ended_reason = 'it ran out' WHERE ended_at IS NULL AND expires_at <= $1 RETURNING id",
      [at.toISOString()],
    );
    return rows.length;
  },
  async ended(on, ids) {
    const rows = await on.query<{ id: string; ended_reason: string }>(
      "SELECT id, ended_reason FROM credential_lease WHERE id = ANY ($1) AND ended_at IS NOT NULL",
      [ids],
    );
    return new Map(rows.map((row) => [row.id, row.ended_reason]));
  },
  async addUndo(on, id, undo) {
    await on.query("UPDATE credential_lease SET undo = undo || $2::jsonb WHERE id = $1", [id, JSON.stringify([undo])]);
  },
  async takeUndo(transaction, at) {
    const [row] = await transaction.query<{ id: string; undo: Undo[]; undo_attempts: number }>(
      `SELECT id, undo, undo_attempts FROM credential_lease
       WHERE ended_at IS NOT NULL AND undo <> '[]' AND (undo_after IS NULL OR undo_after <= $1)
       ORDER BY undo_after NULLS FIRST LIMIT 1 FOR UPDATE SKIP LOCKED`,
      [at.toISOString()],
    );
    return row === undefined ? null : { id: row.id, undo: row.undo, attempts: row.undo_attempts };
  },
  async leaveUndo(on, id, undo, after) {
    await on.query("UPDATE credential_lease SET undo = $2, undo_attempts = undo_attempts + 1, undo_after = $3 WHERE id = $1", [
      id,
      JSON.stringify(undo),
      after.toISOString(),
    ]);
  },
  async forget(on, endedBefore) {
    const rows = await on.query("DELETE FROM credential_lease WHERE ended_at < $1 AND undo = '[]' RETURNING id", [
      endedBefore.toISOString(),
    ]);
    return rows.length;
  },
  async list(on, { live, before, limit }) {
    const rows = await on.query<Row>(
      `SELECT ${columns} FROM credential_lease WHERE ($1::text IS NULL OR id < $1) AND (NOT $2::boolean OR ended_at IS NULL)
       ORDER BY id DESC LIMIT $3`,
      [before, live, limit],
    );
    return rows.map(toLease);
  },
};

const covered: Record<Exclude<LeaseScope["type"], "tool">, string> = {
  everything: "$1::text IS NULL",
  run: "run_id = $1",
  agent: "agent = $1",
  upstream: "upstream = $1",
  environment: "environment = $1",
  credential: "$1 = ANY (credentials)",
  prefix: "EXISTS (SELECT FROM unnest(secrets) AS path WHERE path = $1 OR starts_with(path, $1 || '/'))",
};

function toLease(row: Row): StoredLease {
  return {
    id: row.id as Id<"lease">,
    upstream: row.upstream,
    credentials: row.credentials,
    secrets: row.secrets,
    agent: row.agent,
    run: row.run_id,
    environment: row.environment,
    person: row.person,
    issuedAt: row.issued_at,
    expiresAt: row.expires_at,
    endedAt: row.ended_at,
    endedReason: row.ended_reason,
  };
}
