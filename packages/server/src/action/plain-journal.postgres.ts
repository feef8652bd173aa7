import type { Caller, Decision, Id } from "@remit/contract";
import { RemitError } from "@remit/contract";
import type { Draw, Reservation } from "@remit/core";
import { DatabaseError } from "pg";
import { binaryArray } from "../database/binary-array.ts";
import type { Database, PreparedStatement } from "../database/database.ts";
import { forGiven, given } from "../database/given-rows.ts";
import { type GroupCommit, createGroupCommit } from "../database/group-commit.ts";
import type { Committed, Ledger } from "../ledger/ledger.ts";
import type { Begin, Begun, End } from "./action.journal.ts";

type Allow = Extract<Decision, { type: "allow" }>;
type PlainBegin = { type: "begin"; begin: Begin; decision: Allow; draws: Draw[] };
type PlainEnd = { type: "end"; end: End; reservations: readonly Reservation[] };
type Job = PlainBegin | PlainEnd;

/** `again`: nothing was written; it takes the journal's longer way, which reads before it writes and says what stands against it. */
export type PlainJournal = {
  begin(begin: Begin): Promise<Begun | "again">;
  finish(end: End, reservations: readonly Reservation[]): Promise<boolean | "again">;
  /** A window that this action did not fit into: the next that draws on it takes the longer way, and spoils nobody's batch. */
  exhausted(key: string): void;
  idle(): Promise<void>;
};

export type PlainJournalOptions = {
  database: Pick<Database, "atomically">;
  ledger: Pick<Ledger, "statementFor" | "appended">;
  instance: string;
  limits: { maxBatch: number; maxWaiting: number };
  onFull: () => Error;
};

/**
 * The journal's short way: attempts that are allowed whatever is counted, and outcomes, many of both in one message and one
 * transaction. What the longer way reads and judges is here a condition of the write: the control state is the one that was judged
 * under, no equal call waits, the run goes on, every cap holds, the action is still executing. Where one does not hold, PostgreSQL
 * divides by zero, and nothing of the batch is written.
 */
export function createPlainJournal(options: PlainJournalOptions): PlainJournal {
  const full = new Set<string>();
  const jobs: GroupCommit<Job, boolean> = createGroupCommit<Job, boolean>({
    ...options.limits,
    onFull: options.onFull,
    lingerMs: 3,
    commit: async (batch) => {
      const written = await commit(options, batch);
      return batch.map(() => written);
    },
  });

  return {
    async begin(begin) {
      const plain = plainBegin(begin);
      if (plain === null || plain.draws.some(({ key }) => full.has(key))) return "again";
      if (!(await jobs.submit(plain))) return "again";
      const { id: actionId } = begin.action;
      return { type: "intended", decision: plain.decision, intent: { actionId } as unknown as Committed<"intent"> };
    },
    finish: async (end, reservations) => (await jobs.submit({ type: "end", end, reservations })) || "again",
    exhausted(key) {
      // Keys name their minute, hour or day: none is needed for long.
      if (full.size >= maxExhausted) full.clear();
      full.add(key);
    },
    idle: () => jobs.idle(),
  };
}

const maxExhausted = 1_000;

/** Null: what is to be written of it depends on what has to be read first. */
function plainBegin(begin: Begin): PlainBegin | null {
  if (begin.counted !== null || begin.grant !== null || begin.epoch === null || begin.action.idempotencyKey !== null) return null;
  const decision = begin.decide({ runActions: 0, actionsThisMinute: 0, actionsToday: 0, amountToday: 0 });
  return decision.type === "allow" ? { type: "begin", begin, decision, draws: begin.draws(decision) } : null;
}

/** False: nothing was written. @throws where it is not known whether anything was. */
async function commit({ database, ledger, instance }: PlainJournalOptions, batch: readonly Job[]): Promise<boolean> {
  const begins = batch.filter((job) => job.type === "begin");
  const ends = batch.filter((job) => job.type === "end");
  // Judged under two control states: one of them is stale.
  if (new Set(begins.map(({ begin }) => begin.epoch)).size > 1) return false;
  let statements: PreparedStatement[];
  try {
    const appended = ledger.statementFor(batch.flatMap((job) => entriesOf(job)));
    if (appended === null) return false;
    // Locks in the journal's one order: runs, counted windows, cap windows, actions.
    statements = [
      ...takeFromRuns(begins),
      ...changeWindows(begins, ends),
      ...(begins.length === 0 ? [] : [insertActions(begins, instance)]),
      ...(ends.length === 0 ? [] : [given(finish, [], ends)]),
      appended,
    ];
  } catch (error) {
    // One of them has no form that can be recorded; by itself it learns which.
    if (RemitError.is(error)) return false;
    throw error;
  }
  try {
    await database.atomically(statements);
    ledger.appended();
    return true;
  } catch (error) {
    // PostgreSQL has refused it as a whole. Of what failed otherwise nobody knows whether it was committed.
    if (error instanceof DatabaseError) return false;
    throw error;
  }
}

function entriesOf(job: Job): End["also"] {
  return job.type === "begin" ? [job.begin.entries.intended(job.decision)] : [job.end.entry, ...job.end.also];
}

function takeFromRuns(begins: readonly PlainBegin[]): PreparedStatement[] {
  const used = new Map<Id<"run">, number>();
  for (const { begin } of begins) {
    const run = begin.action.caller.run?.id;
    if (run !== undefined) used.set(run, (used.get(run) ?? 0) + 1);
  }
  if (used.size === 0) return [];
  const ids = [...used.keys()];
  return [
    ...lockFirst({ name: "plain-run-lock", text: "SELECT FROM run WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE", values: [ids] }),
    { name: "plain-run-use", text: runSql, values: [ids, [...used.values()]] },
  ];
}

/** Rows are locked in one order, or two batches could wait for each other; one row has no order. */
function lockFirst(statement: PreparedStatement & { values: readonly [readonly string[]] }): PreparedStatement[] {
  return statement.values[0].length > 1 ? [statement] : [];
}

/** What a batch makes of a window. `most`: the strictest limit that it is held to. */
type Change = { key: string; reserved: number; spent: number; most: number | null };

function changeWindows(begins: readonly PlainBegin[], ends: readonly PlainEnd[]): PreparedStatement[] {
  const changes = new Map<string, Change>();
  const changeOf = (key: string): Change => {
    const known = changes.get(key);
    if (known !== undefined) return known;
    const change = { key, reserved: 0, spent: 0, most: null };
    changes.set(key, change);
    return change;
  };
  for (const { draws } of begins) {
    for (const { key, amount, limit } of draws) {
      const change = changeOf(key);
      change.reserved += amount;
      change.most = limit === null ? change.most : Math.min(limit, change.most ?? limit);
    }
  }
  for (const { end, reservations } of ends) {
    for (const { key, amount, counts } of reservations) {
      const change = changeOf(key);
      change.reserved -= amount;
      if (counts === "actions" || end.amountSpent) change.spent += amount;
    }
  }
  if (changes.size === 0) return [];
  const lock = { name: "plain-window-lock", text: windowLockSql, values: [[...changes.keys()]] } as const;
  return [...lockFirst(lock), given(windowChange, [], [...changes.values()])];
}

/** What is kept of what an action has drawn, until it is settled. */
export function reservationsOf(draws: readonly Draw[]): Reservation[] {
  return draws.map(({ key, amount, counts }) => ({ key, amount, counts }));
}

function insertActions(begins: readonly PlainBegin[], instance: string): PreparedStatement {
  const attachKeys = begins.map(({ begin }) => begin.action.attachKey);
  return given(beginRows, [begins[0]?.begin.epoch, binaryArray("text", attachKeys), instance], begins);
}

const callerTexts = new WeakMap<Caller, string>();

/** Who calls again is the same object: the token says so, and is checked once. */
function textOf(caller: Caller): string {
  const known = callerTexts.get(caller);
  if (known !== undefined) return known;
  const text = JSON.stringify(caller);
  callerTexts.set(caller, text);
  return text;
}

// Here and below, a state is asked for in words that no partial index serves: one looks cheaper than the one by id while the table is small.
const runSql = `
  WITH used AS (
    UPDATE run SET actions_used = actions_used + given.count
    FROM unnest($1::text[], $2::int[]) AS given (id, count)
    WHERE run.id = given.id AND left(run.state, 7) = 'running' AND run.deadline > clock_timestamp()
      AND run.actions_used + given.count <= run.max_actions
    RETURNING 1
  )
  SELECT 1 / (count(*) = cardinality($1))::int FROM used`;

// Counted windows before those of caps, as everywhere.
const windowLockSql = `
  SELECT FROM budget_window WHERE key = ANY($1) ORDER BY starts_with(key, 'cap/'), key FOR NO KEY UPDATE`;

const windowChange = forGiven<Change>(
  "plain-window-change",
  0,
  {
    key: ["text", ({ key }) => key],
    reserved: ["bigint", ({ reserved }) => reserved],
    spent: ["bigint", ({ spent }) => spent],
    most: ["bigint", ({ most }) => most],
  },
  (given, count) => `
  WITH changed AS (
    UPDATE budget_window SET reserved = budget_window.reserved + given.reserved, spent = budget_window.spent + given.spent
    FROM ${given}
    WHERE budget_window.key = given.key
      AND (given.most IS NULL OR budget_window.reserved + given.reserved + budget_window.spent + given.spent <= given.most)
    RETURNING 1
  )
  SELECT 1 / (count(*) = ${count})::int FROM changed`,
);

const beginRows = forGiven<PlainBegin>(
  "plain-begin",
  3,
  {
    id: ["text", ({ begin }) => begin.action.id],
    digest: ["text", ({ begin }) => begin.action.digest],
    agent: ["text", ({ begin }) => begin.action.caller.agent],
    environment: ["text", ({ begin }) => begin.action.caller.environment],
    run_id: ["text", ({ begin }) => begin.action.caller.run?.id ?? null],
    tool: ["text", ({ begin }) => begin.action.tool],
    effect: ["text", ({ begin }) => begin.action.effect],
    caller: ["json", ({ begin }) => textOf(begin.action.caller)],
    reservations: ["jsonb", ({ draws }) => JSON.stringify(reservationsOf(draws))],
    arguments_entry: ["text", ({ begin }) => begin.action.argumentsEntry],
    trace_id: ["text", ({ begin }) => begin.action.traceId],
    at: ["timestamptz", ({ begin }) => begin.action.at],
  },
  (given) => `
  WITH begun AS (
    INSERT INTO action (id, digest, state, agent, environment, run_id, tool, effect, caller, instance, reservations, arguments_entry,
                        trace_id, requested_at)
    SELECT id, digest, 'executing', agent, environment, run_id, tool, effect, caller, $3::uuid, reservations, arguments_entry, trace_id, at
    FROM ${given}
  )
  SELECT 1 / (count(*) = 1)::int FROM control_state
  WHERE epoch = $1 AND NOT EXISTS (SELECT FROM action WHERE attach_key = ANY($2::text[]))`,
);

const finish = forGiven<PlainEnd>(
  "plain-finish",
  0,
  {
    id: ["text", ({ end }) => end.actionId],
    state: ["text", ({ end }) => end.state],
    code: ["text", ({ end }) => end.code],
    reason: ["text", ({ end }) => end.reason],
    result_entry: ["text", ({ end }) => end.resultEntry],
    at: ["timestamptz", ({ end }) => end.entry.at],
  },
  (given, count) => `
  WITH ended AS (
    UPDATE action SET state = given.state, code = given.code, reason = given.reason, result_entry = given.result_entry, ended_at = given.at
    FROM ${given}
    WHERE action.id = given.id AND left(action.state, 9) = 'executing'
    RETURNING 1
  )
  SELECT 1 / (count(*) = ${count})::int FROM ended`,
);
