import { RemitError } from "@remit/contract";
import { DatabaseError, Pool } from "pg";
import type { QueryResultRow } from "pg";
import type { Database, PreparedStatement, Queryable, Transaction } from "./database.ts";
import { createStatementBatch, toParameters } from "./statement-batch.ts";
import { openTransaction } from "./transaction.postgres.ts";

/** The application's role. It is granted what each migration says and nothing else. */
export const applicationRole = "remit_app";

export type DatabaseOptions = {
  url: string;
  poolSize?: number;
  /** Taken on connecting, where the login is allowed more than the application may do. Null: the login is the role. */
  role?: string | null;
};

/** Opens a pool. Connects on first use; nothing here waits for the server to be up. */
export function openDatabase({ url, poolSize = 16, role = applicationRole }: DatabaseOptions): Database {
  const open = (max: number, more: readonly string[] = []): Pool =>
    openPool(url, max, [...(role === null ? [] : [`-c role=${role}`]), ...more]);
  const pool = open(poolSize);
  // Prepared while a table was empty, a plan that reads all of it looks cheapest, and is kept for a minute or more. What is ruled out
  // here is priced so high that PostgreSQL would compile what cannot avoid it, at twenty times its cost.
  const direct = open(directPoolSize, [
    "-c enable_seqscan=off",
    "-c enable_hashjoin=off",
    "-c enable_mergejoin=off",
    "-c jit=off",
    "-c plan_cache_mode=force_generic_plan",
  ]);

  let closing: Promise<unknown> | undefined;
  return {
    query: (sql, values) => run(pool, sql, values),
    transaction: (work) => inTransaction(pool, work),
    atomically: (statements) => sendWhole(direct, statements),
    close: async () => {
      await (closing ??= Promise.all([pool.end(), direct.end()]));
    },
  };
}

/** Group commits have one message on its way at a time, each. */
const directPoolSize = 3;

/** What they send is short. Callers wait for it, and a line that has gone silent is not worth more of their time. */
const directMs = 20_000;

const statementMs = 60_000;

/** Longer than PostgreSQL's own limit: whoever is not even told of that one talks to nobody any more. */
const answerMs = statementMs + 5_000;

function openPool(url: string, max: number, options: readonly string[]): Pool {
  const pool = new Pool({
    connectionString: url,
    max,
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    idleTimeoutMillis: 30_000,
    application_name: "remit",
    options: [
      ...options,
      // Whoever is stopped by a lost client must not hold the rows that a halt or a budget needs.
      "-c idle_in_transaction_session_timeout=60000",
      `-c statement_timeout=${statementMs}`,
      "-c timezone=UTC",
    ].join(" "),
  });
  // A server that goes away breaks idle and busy connections alike. Each query reports it; without these listeners Node would exit.
  pool.on("error", () => {});
  pool.on("connect", (client) => client.on("error", () => {}));
  return pool;
}

/** One synchronisation point, so one transaction, which PostgreSQL commits at its end without being told to. */
async function sendWhole(pool: Pool, statements: readonly PreparedStatement[]): Promise<void> {
  const prepared = statements.map(({ name, text, values }) => ({
    name,
    text,
    values: toParameters(values),
    resolve: () => {},
    reject: () => {},
  }));
  const client = await pool.connect().catch((error: unknown) => {
    throw translate(error);
  });
  const failure = await new Promise<Error | null>((resolve) => void client.query(createStatementBatch(prepared, directMs, resolve)));
  // What PostgreSQL has refused, it has undone. A connection that failed otherwise, or that it is closing, is not given to anybody else.
  const isOpen = failure instanceof DatabaseError && !isConnectionError(failure);
  client.release(failure === null || isOpen ? undefined : failure);
  if (failure !== null) throw translate(failure);
}

const rollback = { text: "ROLLBACK", query_timeout: answerMs };

async function inTransaction<Result>(pool: Pool, work: (transaction: Transaction) => Promise<Result>): Promise<Result> {
  const client = await pool.connect().catch((error: unknown) => {
    throw translate(error);
  });
  let broken: Error | undefined;
  try {
    const open = openTransaction(client, answerMs);
    const result = await work({
      ...open.transaction,
      query: (sql, values) => translated(open.transaction.query(sql, values)),
    });
    await translated(open.commit());
    return result;
  } catch (error) {
    // A connection that cannot even roll back is in an unknown state and is not given to anybody else.
    if (RemitError.is(error) && error.code === "database-unavailable") broken = error;
    else {
      await client.query(rollback).catch((cause: unknown) => {
        broken = cause instanceof Error ? cause : new Error(String(cause));
      });
    }
    throw error;
  } finally {
    client.release(broken);
  }
}

async function run<Row extends QueryResultRow>(
  on: Pool,
  sql: Parameters<Queryable["query"]>[0],
  values: readonly unknown[] = [],
): Promise<Row[]> {
  const { timeoutMs = answerMs, ...query } = typeof sql === "string" ? { text: sql } : sql;
  const limit = { query_timeout: timeoutMs };
  const result = await translated(on.query<Row>({ ...query, ...limit, values: [...values] }));
  return result.rows;
}

async function translated<Result>(answer: Promise<Result>): Promise<Result> {
  try {
    return await answer;
  } catch (error) {
    throw translate(error);
  }
}

/** Errors of the connection become `database-unavailable`; errors of a statement stay PostgreSQL's own. */
function translate(error: unknown): unknown {
  return isConnectionError(error) ? unreachable(error) : error;
}

/** What cannot be connected to, in words; PostgreSQL's driver leaves some of its messages empty. */
export function unreachable(error: unknown): RemitError {
  const { code, message } = error as { code?: unknown; message?: unknown };
  const words = [message, code].find((text): text is string => typeof text === "string" && text !== "") ?? String(error);
  return new RemitError("database-unavailable", `The database cannot be reached: ${words}`, { cause: error });
}

/** SQLSTATE classes: 08 connection, 28 authorisation, 3D no such database, 53300 too many connections, 57P shut down or starting. */
function isConnectionError(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  if (error instanceof DatabaseError) return /^(08|28|3D000|53300|57P0)/.test(error.code ?? "");
  const { code } = error as NodeJS.ErrnoException;
  if (code !== undefined && /^E(CONN|PIPE|HOST|NET|TIMEDOUT|NOTFOUND|AI_AGAIN|NOENT|ACCES)/.test(code)) return true;
  return /^(Connection terminated|Query read timeout|timeout exc|timeout expired|Client has encountered a connection error|Cannot use a pool)/.test(
    error.message,
  );
}
