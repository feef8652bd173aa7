import { type Element, type ElementType, binaryArray } from "./binary-array.ts";
import type { PreparedStatement } from "./database.ts";

/** Columns of rows that a statement is given: of which type, and where its values are found. */
export type GivenColumns<Row> = Readonly<Record<string, readonly [type: ElementType, of: (row: Row) => Element]>>;

/** A statement about rows that it is given, in two forms: for many, as arrays; for one, as the values themselves. */
export type GivenRows<Row> = { one: Unvalued; many: Unvalued; columns: readonly (readonly [ElementType, (row: Row) => Element])[] };

type Unvalued = Omit<PreparedStatement, "values">;

/**
 * A caller that is alone has one row, and without arrays PostgreSQL has less work. `before`: how many parameters come before those
 * of the rows. `text` is told what the rows are to be read from (as `given`), and how many they are.
 */
export function forGiven<Row>(
  name: string,
  before: number,
  columns: GivenColumns<Row>,
  text: (given: string, count: string) => string,
): GivenRows<Row> {
  const names = Object.keys(columns).join(", ");
  const single = Object.values(columns).map(([type], index) => `$${before + index + 1}::${type}`);
  return {
    one: { name: `${name}-one`, text: text(`(VALUES (${single.join(", ")})) AS given (${names})`, "1") },
    many: { name, text: text(`${rowsOfArrays(before, columns)} AS given`, `cardinality($${before + 1}::text[])`) },
    columns: Object.values(columns),
  };
}

/**
 * The rows of arrays that are parameters, the first of text. By index: for each array that it unnests, PostgreSQL keeps a table, which is
 * read row by row afterwards. An index takes it through what stands before, so there must not be thousands.
 */
export function rowsOfArrays(before: number, columns: GivenColumns<never>): string {
  const [first, ...rest] = Object.entries(columns).map(([name, [type]], index) => ({ name, array: `$${before + index + 1}::${type}[]` }));
  const others = rest.map(({ name, array }) => `, (${array})[place] AS ${name}`);
  return `(SELECT ${first?.name}${others.join("")} FROM unnest(${first?.array}) WITH ORDINALITY AS first (${first?.name}, place))`;
}

export function arraysOf<Row>(columns: GivenRows<Row>["columns"], rows: readonly Row[]): (Buffer | null)[] {
  return columns.map(([type, of]) => binaryArray(type, rows.map(of)));
}

/** @throws RemitError where a value has no form that can be recorded */
export function given<Row>({ one, many, columns }: GivenRows<Row>, before: readonly unknown[], rows: readonly Row[]): PreparedStatement {
  const [row, another] = rows;
  if (row === undefined || another !== undefined) return { ...many, values: [...before, ...arraysOf(columns, rows)] };
  return { ...one, values: [...before, ...columns.map(([, of]) => of(row))] };
}
