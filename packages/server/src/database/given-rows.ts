import type { PreparedStatement } from "./database.ts";

/** A statement about rows that it is given, in two forms: for many, as arrays; for one, as the values themselves. */
export type GivenRows = { one: Omit<PreparedStatement, "values">; many: Omit<PreparedStatement, "values"> };

/**
 * A caller that is alone has one row, and without arrays PostgreSQL has half the work. `before`: how many parameters come before those
 * of the rows. `text` is told what the rows are to be read from (as `given`), and how many they are.
 */
export function forGiven(
  name: string,
  before: number,
  columns: Readonly<Record<string, string>>,
  text: (given: string, count: string) => string,
): GivenRows {
  const names = Object.keys(columns).join(", ");
  const parameters = (suffix: string) =>
    Object.values(columns)
      .map((type, index) => `$${before + index + 1}::${type}${suffix}`)
      .join(", ");
  return {
    one: { name: `${name}-one`, text: text(`(VALUES (${parameters("")})) AS given (${names})`, "1") },
    many: { name, text: text(`unnest(${parameters("[]")}) AS given (${names})`, `cardinality($${before + 1})`) },
  };
}

/** `columns`: the values of each column, of all rows. */
export function given({ one, many }: GivenRows, before: readonly unknown[], columns: readonly (readonly unknown[])[]): PreparedStatement {
  if (columns[0]?.length !== 1) return { ...many, values: [...before, ...columns] };
  return { ...one, values: [...before, ...columns.map((values) => values[0])] };
}
