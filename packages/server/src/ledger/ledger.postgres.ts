import { RemitError } from "@remit/contract";
import type { NewEntry } from "@remit/contract";
import { DatabaseError } from "pg";
import type { Database, PreparedStatement, Transaction } from "../database/database.ts";
import { type GivenColumns, arraysOf, rowsOfArrays } from "../database/given-rows.ts";
import { createGroupCommit } from "../database/group-commit.ts";
import { createErasures } from "./erasures.ts";
import { defaultOrigin } from "./ledger-key.ts";
import { createLedgerRows } from "./ledger-rows.postgres.ts";
import type { Ledger } from "./ledger.ts";
import { openPayload } from "./payload-cipher.ts";
import type { PayloadKeys } from "./payload-keys.ts";
import type { Payloads } from "./payloads.ts";
import { keysOf, prepareEntry } from "./prepare-entry.ts";
import type { PreparedEntry } from "./prepare-entry.ts";

export type LedgerOptions = {
  database: Database;
  payloadKeys: PayloadKeys;
  /** What this ledger calls itself: the first line of its checkpoints. */
  origin?: string;
  /** The trace of an entry that names none itself: of the request in whose course it is made, or of what the server does by itself. */
  traceId?: () => string;
  /** How many entries may wait for `record`'s commit. */
  maxWaiting?: number;
};

export type OpenLedger = Ledger &
  Payloads & {
    /** Called when something that was appended here has been committed, so that there is something to sequence. */
    onAppended: (listener: () => void) => void;
    /** Commits what `record` has accepted, and refuses what comes later. */
    close(): Promise<void>;
  };

/** How many entries are given to one statement. */
const maxTogether = 128;

export function createLedger({ database, payloadKeys: keys, origin = defaultOrigin, ...options }: LedgerOptions): OpenLedger {
  const { traceId, maxWaiting = 10_000 } = options;
  const listeners: (() => void)[] = [];

  function prepare(entry: NewEntry, found: Parameters<typeof prepareEntry>[1]): PreparedEntry {
    const traced = entry.traceId === undefined && traceId !== undefined ? { ...entry, traceId: traceId() } : entry;
    return prepareEntry(traced, found, origin);
  }

  async function append(transaction: Transaction, entries: readonly NewEntry[]): Promise<void> {
    if (entries.length === 0) return;
    const found = await keys.forSealing(transaction, keysOf(entries));
    const prepared = entries.map((entry) => prepare(entry, found));
    for (let first = 0; first < prepared.length; first += maxTogether) {
      // With the commit, or whatever the caller asks next: nobody waits for it.
      const { values, ...statement } = insertOf(prepared.slice(first, first + maxTogether));
      transaction.write(statement, values);
    }
    transaction.onCommit(appended);
  }

  function appended(): void {
    for (const listener of listeners) listener();
  }

  let isClosed = false;
  const group = createGroupCommit<PreparedEntry, null>({
    async commit(prepared) {
      await database.atomically([insertOf(prepared)]);
      appended();
      return prepared.map(() => null);
    },
    maxBatch: maxTogether,
    weight: { of: weightOf, max: 8 * 1024 * 1024 },
    maxWaiting,
    onFull: () => new RemitError("ledger-unavailable", `The entry was not recorded: ${maxWaiting} already wait; try again in a moment`),
  });

  return {
    append,
    statementFor(entries) {
      const found = keys.atHand(keysOf(entries));
      if (found === null) return null;
      return insertOf(entries.map((entry) => prepare(entry, found)));
    },
    appended,
    async record(entry) {
      if (isClosed) throw new RemitError("ledger-unavailable", "The entry was not recorded: the server is stopping");
      try {
        const found = await keys.forSealing(database, keysOf([entry]));
        await group.submit(prepare(entry, found));
      } catch (error) {
        throw refusal(error);
      }
    },
    async open(entryId, name) {
      const [row] = await database.query<{ subject: string; ciphertext: Buffer }>(
        "SELECT subject, ciphertext FROM ledger_payload WHERE entry_id = $1 AND name = $2",
        [entryId, name],
      );
      const key = row === undefined ? null : await keys.forOpening(row.subject, { entryId, name });
      if (row === undefined || key === null) return null;
      const opened = openPayload(key, { entryId, name, subject: row.subject }, row.ciphertext);
      if (opened === null) {
        const [entry] = await database.query<{ at: Date; seq: string | null }>(
          "SELECT e.at, l.seq FROM ledger_entry e LEFT JOIN ledger_leaf l ON l.entry_id = e.id WHERE e.id = $1",
          [entryId],
        );
        // Whoever does something after his key was erased has a new one, of the same name.
        const place = { seq: entry?.seq == null ? null : Number(entry.seq), at: entry?.at.toISOString() ?? "" };
        if (await createErasures(createLedgerRows(database)).explain(row.subject, place)) return null;
        throw new RemitError(
          "internal",
          `The payload "${name}" of ${entryId} was changed: its key does not open it. Run: remit audit verify`,
        );
      }
      return opened.value;
    },
    onAppended: (listener) => void listeners.push(listener),
    async close() {
      isClosed = true;
      await group.idle();
    },
  };
}

function weightOf(entry: PreparedEntry): number {
  return entry.payloads.reduce((sum, payload) => sum + payload.ciphertext.length, entry.body.length);
}

/** All of the entries or none. An entry by itself, as callers that are alone have it, goes without arrays: that is less work for PostgreSQL. */
function insertOf(entries: readonly PreparedEntry[]): PreparedStatement {
  const [entry, another] = entries;
  const [payload, second] = entry?.payloads ?? [];
  if (entry === undefined || another !== undefined || payload === undefined || second !== undefined) {
    const payloads = entries.flatMap(({ columns, payloads }) => payloads.map((payload) => ({ entryId: columns.id, ...payload })));
    return {
      ...insertMany,
      values: [...arraysOf(Object.values(entryColumns), entries), ...arraysOf(Object.values(payloadColumns), payloads)],
    };
  }
  const { id, type, at, actor, agent, tool, actionId, runId, approvalId, traceId } = entry.columns;
  const { name, subject, ciphertext } = payload;
  return {
    ...insertOne,
    values: [id, entry.body, type, at, actor, agent, tool, actionId, runId, approvalId, traceId, name, subject, ciphertext],
  };
}

const insertOne = {
  name: "ledger-append-one",
  text: `
WITH new_entry AS (
  INSERT INTO ledger_entry (id, body, type, at, actor, agent, tool, action_id, run_id, approval_id, trace_id)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
), new_payload AS (
  INSERT INTO ledger_payload (entry_id, name, subject, ciphertext) VALUES ($1, $12, $13, $14)
)
INSERT INTO ledger_pending (entry_ids) VALUES (ARRAY[$1])`,
};

const entryColumns: GivenColumns<PreparedEntry> = {
  id: ["text", ({ columns }) => columns.id],
  body: ["bytea", ({ body }) => body],
  type: ["text", ({ columns }) => columns.type],
  at: ["timestamptz", ({ columns }) => columns.at],
  actor: ["text", ({ columns }) => columns.actor],
  agent: ["text", ({ columns }) => columns.agent],
  tool: ["text", ({ columns }) => columns.tool],
  action_id: ["text", ({ columns }) => columns.actionId],
  run_id: ["text", ({ columns }) => columns.runId],
  approval_id: ["text", ({ columns }) => columns.approvalId],
  trace_id: ["text", ({ columns }) => columns.traceId],
};

const payloadColumns: GivenColumns<PreparedEntry["payloads"][number] & { entryId: string }> = {
  entry_id: ["text", ({ entryId }) => entryId],
  name: ["text", ({ name }) => name],
  subject: ["text", ({ subject }) => subject],
  ciphertext: ["bytea", ({ ciphertext }) => ciphertext],
};

const insertMany = {
  name: "ledger-append",
  text: `
WITH new_entry AS (
  INSERT INTO ledger_entry (${Object.keys(entryColumns).join(", ")})
  SELECT * FROM ${rowsOfArrays(0, entryColumns)} AS given
), new_payload AS (
  INSERT INTO ledger_payload (${Object.keys(payloadColumns).join(", ")})
  SELECT * FROM ${rowsOfArrays(Object.keys(entryColumns).length, payloadColumns)} AS given
)
INSERT INTO ledger_pending (entry_ids) VALUES ($1)`,
};

/** Why one entry was not recorded, in our words. What is wrong with the entry itself already is. */
function refusal(error: unknown): unknown {
  if (RemitError.is(error) && error.code !== "database-unavailable") return error;
  if (error instanceof DatabaseError && error.code === "23505") {
    return new RemitError("conflict", "The entry was not recorded: there is one of this id already", { cause: error });
  }
  return new RemitError("ledger-unavailable", "The entry was not recorded: the database did not take it", { cause: error });
}
