import pg from "pg";
import type { Connection, FieldDef, QueryResultRow, Submittable } from "pg";
import { type Execution, type Parameter, executeMessage } from "./execute-message.ts";

/** A statement to be sent, with its parameters as PostgreSQL takes them, and whom its answer is for. */
export type Statement = {
  /** Prepared once per connection under this name. */
  name?: string | undefined;
  text: string;
  values: readonly Parameter[];
  resolve(rows: QueryResultRow[]): void;
  reject(error: unknown): void;
};

type Column = { name: string; parse: (text: string) => unknown };

/** Columns of prepared statements: they need not be described again. */
const described = new WeakMap<Connection, Map<string, readonly Column[]>>();

/**
 * Statements in one message, with one answer: a single synchronisation point (PostgreSQL's extended protocol, "pipelining").
 * When one fails, PostgreSQL skips all that stand behind it, a COMMIT too. The driver's own pipeline has a point after each
 * statement, so that it would go on behind a failed one, and costs both sides a system call for each.
 *
 * Its time is limited here and not by the driver's `query_timeout`. For that the driver assigns a closure to a property of what it
 * sends, which V8 puts among the old objects from the start: until the next whole collection it keeps the batch, and all calls in it.
 */
export function createStatementBatch(
  statements: readonly Statement[],
  withinMs: number,
  done: (failure: Error | null) => void,
): Submittable {
  const answers: QueryResultRow[][] = [];
  let known: Map<string, readonly Column[]> = new Map();
  let columns: readonly Column[] = [];
  let rows: QueryResultRow[] = [];
  let unreadable: Error | null = null;
  const late = setTimeout(() => fail(new Error("Query read timeout")), withinMs);

  const current = (): Statement | undefined => statements[answers.length];

  function fail(error: Error): void {
    clearTimeout(late);
    statements.forEach((statement, index) => {
      const answer = answers[index];
      if (answer === undefined) statement.reject(error);
      else statement.resolve(answer);
    });
    done(error);
  }

  const batch = {
    // The driver reads these two when a statement has been parsed, and notes it as prepared.
    get name() {
      return current()?.name;
    },
    get text() {
      return current()?.text;
    },

    submit(connection: Wire) {
      const parsed = connection.parsedStatements;
      for (const { name, text } of statements) {
        if (name !== undefined && (parsed[name] ?? text) !== text) return new Error(`Two statements are named "${name}"`);
      }
      const parsing = new Set<string>();
      known = described.get(connection) ?? known;
      described.set(connection, known);
      let executions: Execution[] = [];
      const send = (sync: boolean): void => {
        if (connection.stream.writable) connection.stream.write(executeMessage(executions, sync));
        executions = [];
      };
      connection.stream.cork();
      for (const { name = "", text, values } of statements) {
        if (name === "" || (parsed[name] === undefined && !parsing.has(name))) {
          if (executions.length > 0) send(false);
          connection.parse({ name, text });
          parsing.add(name);
        }
        executions.push({ name, values, describe: !known.has(name) });
      }
      send(true);
      connection.stream.uncork();
      return null;
    },

    handleRowDescription({ fields }: { fields: FieldDef[] }) {
      columns = fields.map(({ name, dataTypeID }) => ({ name, parse: pg.types.getTypeParser(dataTypeID, "text") }));
    },

    handleDataRow({ fields }: { fields: (string | null)[] }) {
      if (rows.length === 0 && columns.length === 0) columns = known.get(current()?.name ?? "") ?? columns;
      try {
        rows.push(Object.fromEntries(columns.map(({ name, parse }, index) => [name, read(parse, fields[index])])));
      } catch (error) {
        unreadable ??= error instanceof Error ? error : new Error(String(error));
      }
    },

    handleCommandComplete() {
      const name = current()?.name ?? "";
      if (name !== "" && !known.has(name)) known.set(name, columns);
      answers.push(rows);
      rows = [];
      columns = [];
    },

    handleError: fail,

    handleReadyForQuery() {
      if (unreadable !== null) {
        answers.length = 0;
        fail(unreadable);
        return;
      }
      clearTimeout(late);
      statements.forEach((statement, index) => statement.resolve(answers[index] ?? []));
      done(null);
    },
  };
  return batch as unknown as Submittable;
}

function read(parse: Column["parse"], text: string | null | undefined): unknown {
  return text === null || text === undefined ? null : parse(text);
}

/** @throws where a value has no form that PostgreSQL takes. */
export function toParameters(values: readonly unknown[]): Parameter[] {
  return values.map((value) => driver.prepareValue(value));
}

// What the driver has and its types do not name.
const { utils: driver } = pg as unknown as { utils: { prepareValue(value: unknown): Parameter } };

type Wire = Omit<Connection, "parse"> &
  Connection & {
    parsedStatements: Record<string, string | undefined>;
    parse(message: { name: string; text: string }): void;
  };
