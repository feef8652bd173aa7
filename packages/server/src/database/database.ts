import type { QueryResultRow } from "pg";

/** Something that runs SQL: the pool, or one transaction on it. */
export type Queryable = {
  /**
   * Runs one statement. With `name`, the statement is prepared once per connection. One that has no answer after `timeoutMs` fails, and
   * its connection is given up; within a transaction that is not heeded.
   */
  query<Row extends QueryResultRow>(
    sql: string | { name: string; text: string; timeoutMs?: number },
    values?: readonly unknown[],
  ): Promise<Row[]>;
};

/** An open transaction. A function that takes one changes state and leaves committing to its caller. */
export type Transaction = Queryable & {
  readonly kind: "transaction";
  /**
   * Runs one statement whose rows nobody needs, with the next {@link query} or with the commit, whichever comes first, in order.
   * That fails when this fails.
   */
  write(sql: string | { name: string; text: string }, values?: readonly unknown[]): void;
  /** Called once it is known to have committed, and never otherwise: for what is told of a change and must not be told of none. */
  onCommit(listener: () => void): void;
};

/** A statement that is prepared once per connection. */
export type PreparedStatement = { name: string; text: string; values: readonly unknown[] };

/** PostgreSQL, as the application's role: it may not change or delete ledger rows. */
export type Database = Queryable & {
  /**
   * Runs `work` in one transaction at READ COMMITTED. Rolls back when it throws, or when any statement has failed. Statements that
   * are asked for at once (`Promise.all`) go to the database in one message and run one after the other.
   */
  transaction<Result>(work: (transaction: Transaction) => Promise<Result>): Promise<Result>;
  /**
   * Runs statements as one transaction that is sent whole, in one message: all of them or none. Nothing can be read in between; what
   * must hold is asked for by a statement that fails where it does not. Their plans never read a whole table.
   * @throws DatabaseError when nothing was committed; `database-unavailable` when that is not known
   */
  atomically(statements: readonly PreparedStatement[]): Promise<void>;
  close(): Promise<void>;
};
