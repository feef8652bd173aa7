import type { PoolClient, QueryResultRow } from "pg";
import type { Transaction } from "./database.ts";
import { createStatementBatch, toParameters } from "./statement-batch.ts";
import type { Statement } from "./statement-batch.ts";

export type OpenTransaction = {
  transaction: Transaction;
  /** Sends what has not been sent, with the commit behind it. @throws what any statement failed with; then nothing is committed. */
  commit(): Promise<void>;
};

/**
 * A transaction that speaks as seldom as it can: statements that are asked for in one turn of the event loop go in one message, in
 * their order, BEGIN with the first of them and COMMIT with the last writes.
 * @param answerWithinMs how long each message may wait for its answer
 */
export function openTransaction(client: PoolClient, answerWithinMs: number): OpenTransaction {
  let unsent: Statement[] = [{ name: "begin", text: "BEGIN", values: [], ...unanswered }];
  let failure: Error | null = null;
  let isSending = false;
  let isAsked = false;
  const listeners: (() => void)[] = [];

  function send(): void {
    if (isSending || !isAsked) return;
    isAsked = false;
    const batch = unsent;
    unsent = [];
    if (failure !== null) {
      // PostgreSQL would only answer that the transaction is aborted; what aborted it says more.
      for (const statement of batch) statement.reject(failure);
      return;
    }
    isSending = true;
    client.query(
      createStatementBatch(batch, answerWithinMs, (error) => {
        isSending = false;
        failure ??= error;
        send();
      }),
    );
  }

  function ask(sql: string | { name: string; text: string }, values: readonly unknown[]): Promise<QueryResultRow[]> {
    return new Promise((resolve, reject) => {
      unsent.push({ ...statementOf(sql, values), resolve, reject });
      isAsked = true;
      queueMicrotask(send);
    });
  }

  return {
    transaction: {
      kind: "transaction",
      async query<Row extends QueryResultRow>(sql: string | { name: string; text: string }, values: readonly unknown[] = []) {
        return (await ask(sql, values)) as Row[];
      },
      write(sql, values = []) {
        unsent.push({ ...statementOf(sql, values), ...unanswered });
      },
      onCommit: (listener) => void listeners.push(listener),
    },
    async commit() {
      await ask({ name: "commit", text: "COMMIT" }, []);
      for (const listener of listeners) listener();
    },
  };
}

/** Nobody waits for it: a failure reaches whoever asks next, or the commit. */
const unanswered = { resolve: () => {}, reject: () => {} };

function statementOf(sql: string | { name: string; text: string }, values: readonly unknown[]): Omit<Statement, "resolve" | "reject"> {
  return { ...(typeof sql === "string" ? { text: sql } : sql), values: toParameters(values) };
}
