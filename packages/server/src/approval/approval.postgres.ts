import type { ApprovalState, Effect, Id } from "@remit/contract";
import type { Delegation, Requirement, Vote } from "@remit/core";
import type { Queryable, Transaction } from "../database/database.ts";
import type { ApprovalStore, Consumed, Granted, StoredApproval } from "./approval.store.ts";

export const approvalStore: ApprovalStore = { insert, read, pendingOf, lock, lockOpenOfRun, update, consume, granted, due, list };

const columns = `id, action_id, digest, state, tool, effect, reversibility, environment, agent, accountable, run_id, subject, arguments_entry,
  reason, requirements, votes, delegations, requested_at, expires_at, escalate_at, usable_until, decided_at, ended_reason`;

/** With the trace of the action, so that what people say of it is told in the same one. */
const selected = `${columns}, (SELECT trace_id FROM action WHERE action.id = approval.action_id) AS trace_id`;

async function insert(transaction: Transaction, approval: StoredApproval): Promise<void> {
  await transaction.query(
    {
      name: "approval-insert",
      text: `INSERT INTO approval (${columns})
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23)`,
    },
    [
      approval.id,
      approval.actionId,
      approval.digest,
      approval.state,
      approval.tool,
      approval.effect,
      approval.reversibility,
      approval.environment,
      approval.agent,
      approval.accountable,
      approval.runId,
      approval.subject,
      approval.argumentsEntry,
      approval.reason,
      JSON.stringify(approval.requirements),
      JSON.stringify(approval.votes),
      JSON.stringify(approval.delegations),
      new Date(approval.requestedAt),
      new Date(approval.expiresAt),
      dateOf(approval.escalateAt),
      dateOf(approval.usableUntil),
      dateOf(approval.decidedAt),
      approval.endedReason,
    ],
  );
}

async function read(on: Queryable, id: Id<"approval">): Promise<StoredApproval | null> {
  const [row] = await on.query<Row>({ name: "approval-read", text: `SELECT ${selected} FROM approval WHERE id = $1` }, [id]);
  return row === undefined ? null : toApproval(row);
}

async function pendingOf(on: Queryable, actionId: Id<"action">): Promise<StoredApproval | null> {
  const text = `SELECT ${selected} FROM approval WHERE action_id = $1 AND state = 'pending'`;
  const [row] = await on.query<Row>({ name: "approval-of-action", text }, [actionId]);
  return row === undefined ? null : toApproval(row);
}

async function lock(transaction: Transaction, id: Id<"approval">, options = { skipLocked: false }): Promise<StoredApproval | null> {
  const text = `SELECT ${selected} FROM approval WHERE id = $1 FOR UPDATE ${options.skipLocked ? "SKIP LOCKED" : ""}`;
  const [row] = await transaction.query<Row>(text, [id]);
  return row === undefined ? null : toApproval(row);
}

async function lockOpenOfRun(transaction: Transaction, runId: Id<"run">): Promise<StoredApproval[]> {
  const text = `SELECT ${selected} FROM approval WHERE run_id = $1 AND state IN ('pending', 'granted') ORDER BY id FOR UPDATE`;
  return (await transaction.query<Row>(text, [runId])).map(toApproval);
}

async function update(transaction: Transaction, approval: StoredApproval): Promise<void> {
  await transaction.query(
    {
      name: "approval-update",
      text: `UPDATE approval SET state = $2, requirements = $3, votes = $4, delegations = $5, escalate_at = $6, usable_until = $7,
                    decided_at = $8, ended_reason = $9
             WHERE id = $1`,
    },
    [
      approval.id,
      approval.state,
      JSON.stringify(approval.requirements),
      JSON.stringify(approval.votes),
      JSON.stringify(approval.delegations),
      dateOf(approval.escalateAt),
      dateOf(approval.usableUntil),
      dateOf(approval.decidedAt),
      approval.endedReason,
    ],
  );
}

async function consume(transaction: Transaction, id: Id<"approval">, digest: string, at: number): Promise<Consumed | null> {
  const text = `UPDATE approval SET state = 'consumed' WHERE id = $1 AND digest = $2 AND state = 'granted' AND usable_until > $3
                RETURNING action_id AS "actionId", run_id AS "runId",
                  (SELECT trace_id FROM action WHERE action.id = approval.action_id) AS "traceId"`;
  const [row] = await transaction.query<Consumed>({ name: "approval-consume", text }, [id, digest, new Date(at)]);
  return row ?? null;
}

async function granted(on: Queryable, at: number, limit: number): Promise<Granted[]> {
  const text = `SELECT id, action_id, digest, requirements FROM approval WHERE state = 'granted' AND usable_until > $1
                ORDER BY decided_at, id LIMIT $2`;
  const rows = await on.query<Row>({ name: "approval-granted", text }, [new Date(at), limit]);
  return rows.map((row) => ({
    approvalId: row.id as Id<"approval">,
    actionId: row.action_id as Id<"action">,
    digest: row.digest,
    teams: row.requirements.map(({ team }) => team),
  }));
}

async function due(on: Queryable, at: number, limit: number): Promise<Id<"approval">[]> {
  const text = `SELECT id FROM (
                  SELECT id, least(expires_at, escalate_at) AS since FROM approval WHERE state = 'pending'
                  UNION ALL SELECT id, usable_until FROM approval WHERE state = 'granted'
                ) AS open WHERE since <= $1 ORDER BY since, id LIMIT $2`;
  const rows = await on.query<{ id: string }>({ name: "approval-due", text }, [new Date(at), limit]);
  return rows.map(({ id }) => id as Id<"approval">);
}

async function list(
  on: Queryable,
  query: { states: readonly ApprovalState[] | null; before: string | null; limit: number },
): Promise<StoredApproval[]> {
  const text = `SELECT ${selected} FROM approval WHERE ($1::text[] IS NULL OR state = ANY($1)) AND ($2::text IS NULL OR id < $2)
                ORDER BY id DESC LIMIT $3`;
  return (await on.query<Row>({ name: "approval-list", text }, [query.states, query.before, query.limit])).map(toApproval);
}

type Row = {
  id: string;
  action_id: string;
  digest: string;
  state: ApprovalState;
  tool: string;
  effect: Effect;
  reversibility: StoredApproval["reversibility"];
  environment: string;
  agent: string;
  accountable: string;
  run_id: string | null;
  subject: string | null;
  arguments_entry: string;
  reason: string;
  requirements: Requirement[];
  votes: Vote[];
  delegations: Delegation[];
  requested_at: Date;
  expires_at: Date;
  escalate_at: Date | null;
  usable_until: Date | null;
  decided_at: Date | null;
  ended_reason: string | null;
  trace_id: string | null;
};

function toApproval(row: Row): StoredApproval {
  return {
    id: row.id as Id<"approval">,
    actionId: row.action_id as Id<"action">,
    digest: row.digest,
    state: row.state,
    tool: row.tool,
    effect: row.effect,
    reversibility: row.reversibility,
    environment: row.environment,
    agent: row.agent,
    accountable: row.accountable,
    runId: row.run_id as Id<"run"> | null,
    subject: row.subject,
    argumentsEntry: row.arguments_entry as Id<"entry">,
    reason: row.reason,
    requirements: row.requirements,
    votes: row.votes,
    delegations: row.delegations,
    requestedAt: row.requested_at.getTime(),
    expiresAt: row.expires_at.getTime(),
    escalateAt: row.escalate_at?.getTime() ?? null,
    usableUntil: row.usable_until?.getTime() ?? null,
    decidedAt: row.decided_at?.getTime() ?? null,
    endedReason: row.ended_reason,
    traceId: row.trace_id,
  };
}

function dateOf(ms: number | null): Date | null {
  return ms === null ? null : new Date(ms);
}
