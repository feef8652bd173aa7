import type { Database } from "../database/database.ts";

/** Lets so many at a time work; the others wait in order. */
export type Gate = <Result>(work: () => Promise<Result>) => Promise<Result>;

export function createGate(places: number): Gate {
  let free = places;
  const waiting: (() => void)[] = [];

  async function enter(): Promise<void> {
    if (free > 0) {
      free -= 1;
      return;
    }
    await new Promise<void>((resolve) => waiting.push(resolve));
  }

  return async (work) => {
    await enter();
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) free += 1;
      else next();
    }
  };
}

/**
 * The database with so many connections of it, and no more: whatever those behind the gate do, the rest of them belong to actions.
 */
export function gatedDatabase(database: Database, places: number): Database {
  const gate = createGate(places);
  return {
    query: (sql, values) => gate(() => database.query(sql, values)),
    transaction: (work) => gate(() => database.transaction(work)),
    atomically: (statements) => gate(() => database.atomically(statements)),
    close: () => database.close(),
  };
}
