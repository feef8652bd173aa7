import type { Id, RunBinding, RunState } from "@remit/contract";
import type { Queryable, Transaction } from "../database/database.ts";
import type { RunQuery, RunStore, StoredRun } from "./run.store.ts";

export const runStore: RunStore = { insert, read, lock, renew, end, cancelled, due, list };

const columns = `id, state, workflow, agent, version, accountable, environment, policy, started_by, binding, max_actions, deadline,
  lease_until, trace_id, reason, started_at, ended_at`;

async function insert(transaction: Transaction, run: StoredRun): Promise<void> {
  await transaction.query(
    {
      name: "run-insert",
      text: `INSERT INTO run (${columns}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`,
    },
    [
      run.id,
      run.state,
      run.binding.workflow,
      run.agent,
      run.version,
      run.accountable,
      run.environment,
      run.policy,
      run.startedBy,
      JSON.stringify(run.binding),
      run.binding.maxActions,
      new Date(run.binding.deadline),
      new Date(run.leaseUntil),
      run.traceId,
      run.reason,
      new Date(run.startedAt),
      run.endedAt === null ? null : new Date(run.endedAt),
    ],
  );
}

async function read(on: Queryable, id: Id<"run">): Promise<StoredRun | null> {
  const [row] = await on.query<Row>({ name: "run-read", text: `SELECT ${columns} FROM run WHERE id = $1` }, [id]);
  return row === undefined ? null : toRun(row);
}

async function lock(transaction: Transaction, id: Id<"run">, options = { skipLocked: false }): Promise<StoredRun | null> {
  const text = `SELECT ${columns} FROM run WHERE id = $1 FOR NO KEY UPDATE ${options.skipLocked ? "SKIP LOCKED" : ""}`;
  const [row] = await transaction.query<Row>(text, [id]);
  return row === undefined ? null : toRun(row);
}

async function renew(on: Queryable, id: Id<"run">, leaseUntil: number): Promise<boolean> {
  const text = "UPDATE run SET lease_until = greatest(lease_until, $2) WHERE id = $1 AND state = 'running' RETURNING id";
  return (await on.query({ name: "run-renew", text }, [id, new Date(leaseUntil)])).length === 1;
}

async function end(transaction: Transaction, id: Id<"run">, { state, reason, at }: Parameters<RunStore["end"]>[2]): Promise<void> {
  const text = "UPDATE run SET state = $2, reason = $3, ended_at = $4 WHERE id = $1 AND state = 'running'";
  await transaction.query({ name: "run-end", text }, [id, state, reason, new Date(at)]);
}

async function cancelled(on: Queryable, ids: readonly string[]): Promise<{ id: Id<"run">; reason: string }[]> {
  return on.query({ name: "run-cancelled", text: "SELECT id, reason FROM run WHERE id = ANY($1) AND state = 'cancelled'" }, [ids]);
}

async function due(on: Queryable, at: number, limit: number): Promise<Id<"run">[]> {
  const text = `SELECT id FROM run WHERE state = 'running' AND least(lease_until, deadline) <= $1
                ORDER BY least(lease_until, deadline) LIMIT $2`;
  return (await on.query<{ id: Id<"run"> }>({ name: "run-due", text }, [new Date(at), limit])).map(({ id }) => id);
}

async function list(on: Queryable, { state, workflow, before, limit }: RunQuery): Promise<StoredRun[]> {
  const text = `SELECT ${columns} FROM run
                WHERE ($1::text IS NULL OR state = $1) AND ($2::text IS NULL OR workflow = $2) AND ($3::text IS NULL OR id < $3)
                ORDER BY id DESC LIMIT $4`;
  return (await on.query<Row>(text, [state, workflow, before, limit])).map(toRun);
}

type Row = {
  id: string;
  state: RunState;
  agent: string;
  version: string;
  accountable: string;
  environment: string;
  policy: string;
  started_by: string;
  binding: RunBinding;
  lease_until: Date;
  trace_id: string | null;
  reason: string | null;
  started_at: Date;
  ended_at: Date | null;
};

function toRun(row: Row): StoredRun {
  return {
    id: row.id as Id<"run">,
    state: row.state,
    agent: row.agent,
    version: row.version,
    accountable: row.accountable,
    environment: row.environment,
    policy: row.policy,
    binding: row.binding,
    startedBy: row.started_by,
    leaseUntil: row.lease_until.getTime(),
    traceId: row.trace_id,
    reason: row.reason,
    startedAt: row.started_at.getTime(),
    endedAt: row.ended_at?.getTime() ?? null,
  };
}
