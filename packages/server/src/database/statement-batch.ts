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
  return new StatementBatch(statements, withinMs, done) as unknown as Submittable;
}

/** A class for the sake of its getters: what an object literal has of them is among the old objects from the start, with all that it sees. */
class StatementBatch {
  readonly #statements: readonly Statement[];
  readonly #done: (failure: Error | null) => void;
  readonly #late: NodeJS.Timeout;
  #answers: QueryResultRow[][] = [];
  #known: Map<string, readonly Column[]> = new Map();
  #columns: readonly Column[] = [];
  #rows: QueryResultRow[] = [];
  #unreadable: Error | null = null;

  constructor(statements: readonly Statement[], withinMs: number, done: (failure: Error | null) => void) {
    this.#statements = statements;
    this.#done = done;
    this.#late = setTimeout(() => this.handleError(new Error("Query read timeout")), withinMs);
  }

  // The driver reads these two when a statement has been parsed, and notes it as prepared.
  get name(): string | undefined {
    return this.#current()?.name;
  }

  get text(): string | undefined {
    return this.#current()?.text;
  }

  submit(connection: Wire): Error | null {
    const parsed = connection.parsedStatements;
    for (const { name, text } of this.#statements) {
      if (name !== undefined && (parsed[name] ?? text) !== text) return new Error(`Two statements are named "${name}"`);
    }
    const parsing = new Set<string>();
    this.#known = described.get(connection) ?? this.#known;
    described.set(connection, this.#known);
    let executions: Execution[] = [];
    const send = (sync: boolean): void => {
      if (connection.stream.writable) connection.stream.write(executeMessage(executions, sync));
      executions = [];
    };
    connection.stream.cork();
    for (const { name = "", text, values } of this.#statements) {
      if (name === "" || (parsed[name] === undefined && !parsing.has(name))) {
        if (executions.length > 0) send(false);
        connection.parse({ name, text });
        parsing.add(name);
      }
      executions.push({ name, values, describe: !this.#known.has(name) });
    }
    send(true);
    connection.stream.uncork();
    return null;
  }

  handleRowDescription({ fields }: { fields: FieldDef[] }): void {
    this.#columns = fields.map(({ name, dataTypeID }) => ({ name, parse: pg.types.getTypeParser(dataTypeID, "text") }));
  }

  handleDataRow({ fields }: { fields: (string | null)[] }): void {
    if (this.#rows.length === 0 && this.#columns.length === 0) this.#columns = this.#known.get(this.name ?? "") ?? [];
    try {
      this.#rows.push(Object.fromEntries(this.#columns.map(({ name, parse }, index) => [name, read(parse, fields[index])])));
    } catch (error) {
      this.#unreadable ??= error instanceof Error ? error : new Error(String(error));
    }
  }

  handleCommandComplete(): void {
    const name = this.name ?? "";
    if (name !== "" && !this.#known.has(name)) this.#known.set(name, this.#columns);
    this.#answers.push(this.#rows);
    this.#rows = [];
    this.#columns = [];
  }

  handleError(error: Error): void {
    clearTimeout(this.#late);
    this.#statements.forEach((statement, index) => {
      const answer = this.#answers[index];
      if (answer === undefined) statement.reject(error);
      else statement.resolve(answer);
    });
    this.#done(error);
  }

  handleReadyForQuery(): void {
    if (this.#unreadable !== null) {
      this.#answers = [];
      this.handleError(this.#unreadable);
      return;
    }
    clearTimeout(this.#late);
    this.#statements.forEach((statement, index) => statement.resolve(this.#answers[index] ?? []));
    this.#done(null);
  }

  #current(): Statement | undefined {
    return this.#statements[this.#answers.length];
  }
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
