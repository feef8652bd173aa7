import type { Transaction } from "../database/database.ts";

/**
 * How many calls of each of these agents wait for people, outside of runs. Whoever counts holds the agent until the end of the transaction, so that no two
 * add one more to the same number.
 */
export async function countWaiting(transaction: Transaction, agents: Iterable<string>): Promise<Map<string, number>> {
  const sorted = [...new Set(agents)].toSorted();
  for (const agent of sorted) await transaction.query("SELECT pg_advisory_xact_lock(hashtextextended('waiting/' || $1, 0))", [agent]);
  const rows = await transaction.query<{ agent: string; waiting: string }>(
    "SELECT agent, count(*) AS waiting FROM action WHERE state = 'waiting' AND run_id IS NULL AND agent = ANY ($1) GROUP BY agent",
    [sorted],
  );
  const waiting = new Map(sorted.map((agent) => [agent, 0]));
  for (const row of rows) waiting.set(row.agent, Number(row.waiting));
  return waiting;
}
