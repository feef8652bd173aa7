import { type Caller, type Decision, type ErrorCode, type Id, RemitError } from "@remit/contract";
import { DatabaseError } from "pg";
import { type BudgetWindow, type Reservation, overdrawn, release, reserve, settle, TransientMap } from "@remit/core";
import type { Approvals } from "../approval/approvals.ts";
import type { Database, Transaction } from "../database/database.ts";
import { type GroupCommit, createGroupCommit } from "../database/group-commit.ts";
import type { Committed, Ledger } from "../ledger/ledger.ts";
import { type ActionJournal, type ActionRow, type Begin, type Begun, type Counted, type End, lostReason } from "./action.journal.ts";
import { type LockedRun, denialOfRun, lockRuns, takeFromRuns } from "./run-limit.postgres.ts";
import { createPlainJournal, reservationsOf } from "./plain-journal.postgres.ts";
import { deleteWindows, lockWindows, writeWindows } from "./budget-window.postgres.ts";
import { countWaiting } from "./waiting-limit.postgres.ts";

export type ActionJournalOptions = {
  database: Database;
  ledger: Ledger;
  approvals: Pick<Approvals, "request" | "consume" | "markStale">;
  /** This server. */
  instance: string;
};

/** An attempt of a batch, on its way to what is written of it. `run`: the run of whose actions it takes one. */
type Item = { begin: Begin; index: number; decision: Decision; reservations: Reservation[]; run: LockedRun | null };

const limits = { maxBatch: 64, maxWaiting: 4_096 };

export function createActionJournal(options: ActionJournalOptions): ActionJournal {
  const { database } = options;
  const onFull = (): Error => new RemitError("ledger-unavailable", "too many actions wait to be recorded; try again in a moment");
  /** What this server's actions in flight have reserved. A hint, by which it can be locked without asking first: their rows say what it is. */
  const reserved = new TransientMap<Id<"action">, readonly Reservation[]>();
  const plain = createPlainJournal({ ...options, limits: { ...limits, maxBatch: 128 }, onFull });
  const begins = createGroupCommit<Begin, Begun>({
    ...limits,
    onFull,
    commit: async (batch) => {
      const { results, taken } = await database.transaction((transaction) =>
        beginAll(transaction, options, batch, (key) => plain.exhausted(key)),
      );
      for (const [actionId, reservations] of taken) reserved.set(actionId, reservations);
      return results;
    },
  });
  const ends = createGroupCommit<End, boolean>({
    ...limits,
    onFull,
    commit: (batch) => database.transaction((transaction) => finishAll(transaction, options.ledger, batch, reserved)),
  });
  return {
    async begin(begin) {
      const begun = await plain.begin(begin);
      if (begun === "again") return beginAgain(begins, begin);
      if (begun.type === "intended") reserved.set(begin.action.id, reservationsOf(begin.draws(begun.decision)));
      return begun;
    },
    async finish(end) {
      try {
        const reservations = reserved.get(end.actionId);
        const finished = reservations === undefined ? "again" : await plain.finish(end, reservations);
        return finished === "again" ? await ends.submit(end) : finished;
      } catch (error) {
        throw dataError(error);
      } finally {
        reserved.delete(end.actionId);
      }
    },
    read: (id) => readAction(database, id),
    endLost: (isHeld, entries) =>
      database.transaction(async (transaction) => {
        // Asked in this order: whatever is held later than the rows were read was held before they were written.
        const mine = await transaction.query<{ id: Id<"action"> }>({ name: "action-mine", text: selectMine }, [options.instance]);
        const unseen = mine.map(({ id }) => id).filter((id) => !isHeld(id));
        const lost = await transaction.query<Row>({ name: "action-lost", text: selectLost }, [unseen]);
        const rows = lost.map(toActionRow);
        const ended = rows.map((row): End => ({
          actionId: row.id,
          state: "unknown",
          code: "outcome-unknown",
          reason: lostReason,
          ...entries(row),
          resultEntry: null,
          amountSpent: true,
        }));
        const changed = await finishAll(transaction, options.ledger, ended, new Map());
        return rows.filter((_, index) => changed[index]);
      }),
    forgetWindows: () => deleteWindows(database),
    idle: async () => {
      await plain.idle();
      await begins.idle();
      await ends.idle();
    },
  };
}

/** Two transactions that waited for each other, or began the same action at one moment, are tried again: one of them was first. */
async function beginAgain(begins: GroupCommit<Begin, Begun>, begin: Begin): Promise<Begun> {
  for (let left = 5; ; left -= 1) {
    try {
      return await begins.submit(begin);
    } catch (error) {
      if (RemitError.is(error) && error.code === "conflict" && begin.grant !== null) return { type: "gone" };
      if (left === 0 || !isCollision(error)) throw dataError(error);
    }
  }
}

function isCollision(error: unknown): boolean {
  return (
    (RemitError.is(error) && error.code === "conflict") ||
    (error instanceof DatabaseError && (/^(40001|40P01)$/.test(error.code ?? "") || error.constraint === "action_attach_key_key"))
  );
}

/** What PostgreSQL cannot store is the fault of what was to be stored: of one attempt, and not of the ledger. */
function dataError(error: unknown): unknown {
  if (!(error instanceof DatabaseError) || error.code?.startsWith("22") !== true) return error;
  return new RemitError("invalid-request", `It has no form that can be recorded: ${error.message}`, { cause: error });
}

type Reserved = ReadonlyMap<Id<"action">, readonly Reservation[]>;

/** One transaction for many attempts. Locks are taken in one order everywhere: runs, counted windows, cap windows (each sorted by key), approvals, actions. */
async function beginAll(
  transaction: Transaction,
  options: ActionJournalOptions,
  batch: readonly Begin[],
  onExhausted: (key: string) => void,
): Promise<{ results: Begun[]; taken: Reserved }> {
  const results: (Begun | undefined)[] = batch.map(() => undefined);
  const open = (): [Begin, number][] =>
    batch.map((begin, index): [Begin, number] => [begin, index]).filter(([, index]) => results[index] === undefined);

  // Where no policy reads what is counted under lock, the decision is there before it, and so are the windows that it draws on.
  const early = batch.every(({ counted }) => counted === null) ? batch.map((begin) => begin.decide(nothingCounted)) : null;
  // Asked for at once, so that all of it is one message; they run one after the other, in this order.
  const countedKeys = batch.flatMap(({ counted }) => (counted === null ? [] : [counted.minute, counted.day, counted.amount]));
  const [[control], attached, runs, counted, caps] = await Promise.all([
    transaction.query<{ epoch: string }>({ name: "control-epoch", text: "SELECT epoch FROM control_state" }),
    findAttached(transaction, batch),
    lockRuns(
      transaction,
      batch.map(({ action }) => action.caller.run?.id),
    ),
    lockWindows(transaction, countedKeys),
    lockWindows(transaction, early?.flatMap((decision, index) => drawKeysOf(batch[index], decision)) ?? []),
  ]);
  let windows: Map<string, BudgetWindow> = new Map([...counted, ...caps]);
  for (const [begin, index] of open())
    if (begin.epoch !== null && Number(control?.epoch) !== begin.epoch) results[index] = { type: "stale" };

  for (const [, index] of open()) results[index] = attached[index];

  const decided: Item[] = [];
  /** Of equal calls in one batch, the first that begins an action, and those that attach to it. */
  const leaders = new Map<string, Item>();
  const followers: { begin: Begin; index: number; leader: Item }[] = [];
  for (const [begin, index] of open()) {
    const key = begin.grant === null ? begin.action.attachKey : null;
    const leader = key === null ? undefined : leaders.get(key);
    if (leader !== undefined) {
      followers.push({ begin, index, leader });
      continue;
    }
    const run = begin.action.caller.run === null ? null : (runs.get(begin.action.caller.run.id) ?? "missing");
    const used = run === null || run === "missing" ? 0 : run.actionsUsed;
    const decision = denialOfRun(run, begin) ?? early?.[index] ?? begin.decide(countedFrom(windows, begin, used));
    const item: Item = { begin, index, decision, reservations: decision.type === "allow" ? countedReservations(begin) : [], run: null };
    windows = reserve(windows, item.reservations);
    if (decision.type !== "deny" && run !== null && run !== "missing" && begin.grant === null) {
      run.actionsUsed += 1;
      item.run = run;
    }
    decided.push(item);
    if (key !== null && attachKeyOf(item) !== null) leaders.set(key, item);
  }
  const giveBack = (item: Item): void => {
    windows = release(windows, item.reservations);
    item.reservations = [];
    if (item.run !== null) item.run.actionsUsed -= 1;
    item.run = null;
  };

  if (early === null) {
    const drawKeys = decided.flatMap(({ begin, decision }) => drawKeysOf(begin, decision));
    windows = new Map([...windows, ...(await lockWindows(transaction, drawKeys))]);
  }
  for (const item of decided) {
    if (item.decision.type === "deny") continue;
    const draws = item.begin.draws(item.decision);
    const over = overdrawn(windows, draws);
    if (over !== null) {
      onExhausted(over.key);
      // Nobody is asked for an approval that the budget would refuse anyway.
      giveBack(item);
      item.decision = {
        type: "deny",
        code: over.counts === "actions" ? "rate-exceeded" : "budget-exceeded",
        reason: `The limit ${over.limit} per ${over.per} of ${over.policy} is used up; the next window begins with the next ${over.per}.`,
        policies: [...item.decision.policies, over.policy],
        shadow: item.decision.shadow,
      };
    } else if (item.decision.type === "allow") {
      windows = reserve(windows, draws);
      item.reservations = [...item.reservations, ...reservationsOf(draws)];
    }
  }

  for (const item of decided) {
    if (item.begin.grant === null) continue;
    const { grant, action } = item.begin;
    if (item.decision.type === "allow") {
      if (await options.approvals.consume(transaction, grant.approvalId, action.digest)) continue;
      giveBack(item);
      results[item.index] = { type: "gone" };
    } else {
      const reason = item.decision.type === "deny" ? item.decision.reason : "policy asks for another approval than the one that was given";
      await options.approvals.markStale(transaction, grant.approvalId, reason);
      if (item.decision.type === "require-approval") {
        item.decision = {
          type: "deny",
          code: "policy-stop",
          reason: `Not executed: ${reason}.`,
          policies: item.decision.policies,
          shadow: item.decision.shadow,
        };
      }
    }
  }

  const asking = decided.filter(({ begin, decision }) => decision.type === "require-approval" && begin.waitingLimit != null);
  // A person who is asked a thousand times decides nothing any more.
  const waiting =
    asking.length === 0
      ? null
      : await countWaiting(
          transaction,
          asking.map(({ begin }) => begin.action.caller.agent),
        );
  for (const item of asking) {
    const { agent } = item.begin.action.caller;
    const [count, limit] = [waiting?.get(agent) ?? 0, item.begin.waitingLimit ?? 0];
    waiting?.set(agent, count + 1);
    if (count < limit) continue;
    waiting?.set(agent, count);
    giveBack(item);
    item.decision = {
      type: "deny",
      code: "approvals-full",
      reason: `${limit} calls of ${agent} wait for people already, which is as many as may wait at a time.`,
      policies: item.decision.policies,
      shadow: item.decision.shadow,
    };
  }

  for (const { begin, index, leader } of followers) {
    const { id: actionId, digest } = leader.begin.action;
    // A budget has refused the first after all: the next of them is judged by itself.
    if (leader.decision.type === "deny") results[index] = { type: "stale" };
    else results[index] = { type: "attached", actionId, sameDigest: digest === begin.action.digest };
  }

  // What was denied for what an equal call on another server took, while this one waited for its lock, attaches to that call.
  const denied = decided.filter(({ decision, begin }) => decision.type === "deny" && begin.grant === null);
  const attachedLate = await findAttached(
    transaction,
    denied.map(({ begin }) => begin),
  );
  denied.forEach(({ index }, place) => (results[index] ??= attachedLate[place]));

  const written = decided.filter(({ index }) => results[index] === undefined);
  takeFromRuns(transaction, runs);
  writeWindows(transaction, windows, new Set(written.flatMap(({ reservations }) => reservations.map(({ key }) => key))));
  insertActions(transaction, options.instance, written);
  await updateGranted(transaction, options.instance, written);
  await options.ledger.append(
    transaction,
    written.map(({ begin, decision }) => {
      if (decision.type === "allow") return begin.entries.intended(decision);
      return decision.type === "deny" ? begin.entries.denied(decision) : begin.entries.waiting(decision);
    }),
  );

  for (const { begin, index, decision } of written) {
    const { id: actionId, digest } = begin.action;
    if (decision.type === "allow") {
      results[index] = { type: "intended", decision, intent: { actionId } as unknown as Committed<"intent"> };
    } else if (decision.type === "deny") results[index] = { type: "denied", decision };
    else {
      const approval = await options.approvals.request(transaction, { actionId, digest, ...begin.request(decision) });
      results[index] = { type: "waiting", decision, approval };
    }
  }
  const begun = results.map((result) => {
    if (result === undefined) throw new RemitError("internal", "an attempt was neither begun nor refused");
    return result;
  });
  return {
    results: begun,
    taken: new Map(
      written.flatMap(({ begin, decision, reservations }) => (decision.type === "allow" ? [[begin.action.id, reservations] as const] : [])),
    ),
  };
}

/** Calls that are known already attach to their action: what becomes of each, where it is one. */
async function findAttached(transaction: Transaction, begins: readonly Begin[]): Promise<(Begun | undefined)[]> {
  const keyed = begins.filter(({ action, grant }) => action.attachKey !== null && grant === null);
  if (keyed.length === 0) return [];
  const known = new Map<string, { id: Id<"action">; digest: string }>();
  const rows = await transaction.query<{ attach_key: string; id: string; digest: string; ended: boolean }>(
    {
      name: "action-attach",
      text: `SELECT attach_key, id, digest, (run_id IS NULL AND ended_at < $2) IS TRUE AS ended FROM action WHERE attach_key = ANY($1)`,
    },
    [
      keyed.map(({ action }) => action.attachKey),
      new Date(Math.max(...keyed.map(({ action }) => action.at.getTime())) - attachOutsideRunsMs),
    ],
  );
  const over = rows.filter(({ ended }) => ended).map(({ id }) => id);
  if (over.length > 0) transaction.write("UPDATE action SET attach_key = NULL WHERE id = ANY($1)", [over]);
  for (const row of rows) if (!row.ended) known.set(row.attach_key, { id: row.id as Id<"action">, digest: row.digest });
  return begins.map(({ action, grant }) => {
    const first = grant === null && action.attachKey !== null ? known.get(action.attachKey) : undefined;
    return first && { type: "attached", actionId: first.id, sameDigest: first.digest === action.digest };
  });
}

/** How long, outside a run, an equal call returns the recorded outcome of an action that has ended. Within a run it does for good. */
const attachOutsideRunsMs = 24 * 60 * 60 * 1_000;

const nothingCounted: Counted = { runActions: 0, actionsThisMinute: 0, actionsToday: 0, amountToday: 0 };

function drawKeysOf(begin: Begin | undefined, decision: Decision): string[] {
  return begin?.draws(decision).map(({ key }) => key) ?? [];
}

function countedFrom(windows: ReadonlyMap<string, BudgetWindow>, { counted }: Begin, runActions: number): Counted {
  const total = (key: string | undefined): number => {
    const window = key === undefined ? undefined : windows.get(key);
    return window === undefined ? 0 : window.spent + window.reserved;
  };
  return { runActions, actionsThisMinute: total(counted?.minute), actionsToday: total(counted?.day), amountToday: total(counted?.amount) };
}

function countedReservations({ counted, amount }: Begin): Reservation[] {
  if (counted === null) return [];
  const counts = [
    { key: counted.minute, amount: 1, counts: "actions" as const },
    { key: counted.day, amount: 1, counts: "actions" as const },
  ];
  return amount === null ? counts : [...counts, { key: counted.amount, amount, counts: "amount" as const }];
}

function insertActions(transaction: Transaction, instance: string, decided: readonly Item[]): void {
  const fresh = decided.filter(({ begin }) => begin.grant === null);
  if (fresh.length === 0) return;
  const column = (value: (item: Item) => unknown): unknown[] => fresh.map(value);
  const denial = ({ decision }: Item): Extract<Decision, { type: "deny" }> | null => (decision.type === "deny" ? decision : null);
  transaction.write({ name: "action-insert", text: insertSql }, [
    column(({ begin }) => begin.action.id),
    column(({ begin }) => begin.action.digest),
    column(({ decision }) => ({ allow: "executing", deny: "denied", "require-approval": "waiting" })[decision.type]),
    column(({ begin }) => begin.action.caller.agent),
    column(({ begin }) => begin.action.caller.environment),
    column(({ begin }) => begin.action.caller.run?.id ?? null),
    column(({ begin }) => begin.action.tool),
    column(({ begin }) => begin.action.effect),
    // A denied call is no action to attach to: what was missing may be there the next time.
    column((item) => attachKeyOf(item)),
    column(({ begin }) => JSON.stringify(begin.action.caller)),
    column(({ begin }) => begin.action.idempotencyKey),
    column(({ decision }) => (decision.type === "allow" ? instance : null)),
    column(({ reservations }) => JSON.stringify(reservations)),
    column(({ begin }) => begin.action.argumentsEntry),
    column((item) => denial(item)?.code ?? null),
    column((item) => denial(item)?.reason ?? null),
    column(({ begin }) => begin.action.traceId),
    column(({ begin }) => begin.action.at.toISOString()),
    column((item) => (denial(item) === null ? null : item.begin.action.at.toISOString())),
  ]);
}

function attachKeyOf({ begin, decision }: Item): string | null {
  if (decision.type === "deny") return null;
  // Without an idempotency key, only what waits for a person is one action for equal calls: two equal reads are two reads.
  return decision.type === "require-approval" || begin.action.idempotencyKey !== null ? begin.action.attachKey : null;
}

async function updateGranted(transaction: Transaction, instance: string, decided: readonly Item[]): Promise<void> {
  for (const { begin, decision, reservations } of decided) {
    if (begin.grant === null) continue;
    const denied = decision.type === "deny" ? decision : null;
    const rows = await transaction.query<{ id: string }>(
      `UPDATE action SET state = $2, instance = $3, reservations = $4, code = $5, reason = $6,
              ended_at = CASE WHEN $2 = 'denied' THEN $7::timestamptz END
       WHERE id = $1 AND state = 'waiting' RETURNING id`,
      [
        begin.action.id,
        denied === null ? "executing" : "denied",
        denied === null ? instance : null,
        JSON.stringify(reservations),
        denied?.code,
        denied?.reason,
        begin.action.at.toISOString(),
      ],
    );
    if (rows.length !== 1) throw new RemitError("conflict", "the action no longer waits");
  }
}

async function finishAll(
  transaction: Transaction,
  ledger: Ledger,
  batch: readonly End[],
  reserved: Pick<Reserved, "get">,
): Promise<boolean[]> {
  if (batch.length === 0) return [];
  // Locked as they were when they were reserved: counted windows first. In one sorted list, caps would come first, and the two would wait for each other.
  const lock = async (keys: readonly string[]): Promise<Map<string, BudgetWindow>> => {
    const isCap = (key: string): boolean => key.startsWith("cap/");
    const counted = lockWindows(
      transaction,
      keys.filter((key) => !isCap(key)),
    );
    const [first, second] = await Promise.all([counted, lockWindows(transaction, keys.filter(isCap))]);
    return new Map([...first, ...second]);
  };
  const expected = batch.flatMap(({ actionId }) => reserved.get(actionId)?.map(({ key }) => key) ?? []);
  const [rows, locked] = await Promise.all([
    transaction.query<{ id: string; reservations: Reservation[] }>({ name: "action-finish", text: finishSql }, [
      batch.map(({ actionId }) => actionId),
      batch.map(({ state }) => state),
      batch.map(({ code }) => code),
      batch.map(({ reason }) => reason),
      batch.map(({ resultEntry }) => resultEntry),
      batch.map(({ entry }) => entry.at),
    ]),
    lock(expected),
  ]);
  const reservations = new Map(rows.map((row) => [row.id, row.reservations]));
  const ended = batch.filter(({ actionId }) => reservations.has(actionId));
  const keys = [...reservations.values()].flat().map(({ key }) => key);
  if (keys.length > 0) {
    // What another server reserved is known only now.
    let windows = keys.every((key) => locked.has(key)) ? locked : await lock(keys);
    for (const { actionId, amountSpent } of ended) windows = settle(windows, reservations.get(actionId) ?? [], amountSpent);
    writeWindows(transaction, windows, new Set(keys));
  }
  await ledger.append(
    transaction,
    ended.flatMap(({ entry, also }) => [entry, ...also]),
  );
  return batch.map(({ actionId }) => reservations.has(actionId));
}

async function readAction(database: Database, id: Id<"action">): Promise<ActionRow | null> {
  const [row] = await database.query<Row>({ name: "action-read", text: `SELECT ${columns} FROM action WHERE id = $1` }, [id]);
  return row === undefined ? null : toActionRow(row);
}

type Row = {
  id: string;
  digest: string;
  state: ActionRow["state"];
  tool: string;
  caller: Caller;
  idempotency_key: string | null;
  arguments_entry: string;
  result_entry: string | null;
  code: ErrorCode | null;
  reason: string | null;
  trace_id: string | null;
  requested_at: Date;
};

function toActionRow(row: Row): ActionRow {
  return {
    id: row.id as Id<"action">,
    digest: row.digest,
    state: row.state,
    tool: row.tool,
    caller: row.caller,
    idempotencyKey: row.idempotency_key,
    argumentsEntry: row.arguments_entry as Id<"entry">,
    resultEntry: row.result_entry as Id<"entry"> | null,
    code: row.code,
    reason: row.reason,
    traceId: row.trace_id,
    requestedAt: row.requested_at,
  };
}

const columns = "id, digest, state, tool, caller, idempotency_key, arguments_entry, result_entry, code, reason, trace_id, requested_at";

const insertSql = `
  INSERT INTO action (id, digest, state, agent, environment, run_id, tool, effect, attach_key, caller, idempotency_key,
                      instance, reservations, arguments_entry, code, reason, trace_id, requested_at, ended_at)
  SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
                       $10::json[], $11::text[], $12::uuid[], $13::jsonb[], $14::text[], $15::text[], $16::text[], $17::text[],
                       $18::timestamptz[], $19::timestamptz[])`;

const finishSql = `
  UPDATE action SET state = ended.state, code = ended.code, reason = ended.reason, result_entry = ended.result_entry, ended_at = ended.at
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[]) AS ended (id, state, code, reason, result_entry, at)
  WHERE action.id = ended.id AND action.state = 'executing'
  RETURNING action.id, action.reservations`;

const selectMine = "SELECT id FROM action WHERE state = 'executing' AND instance = $1";

const selectLost = `
  SELECT ${columns} FROM action
  WHERE state = 'executing'
    AND (id = ANY($1)
      OR NOT EXISTS (SELECT FROM server_instance s WHERE s.id = action.instance AND s.heartbeat_at > clock_timestamp() - interval '5 seconds'))
  ORDER BY id FOR UPDATE SKIP LOCKED`;
