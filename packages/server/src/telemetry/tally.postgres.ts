import type { Queryable } from "../database/database.ts";
import type { DelayGroup, EntryGroup } from "./tally.ts";
import { delayBounds, durationBounds } from "./tally.ts";
import type { TallyStore, Tallied } from "./tally-store.ts";

type Row = {
  type: string | null;
  tool: string | null;
  agent: string | null;
  effect: string | null;
  code: string | null;
  bucket: number | null;
  seconds: number | null;
  count: number;
};

export function createTallyStore(database: Queryable): TallyStore {
  return {
    async extent() {
      const [row] = await database.query<{ counted: string; size: string }>({ name: "metric-extent", text: extentSql });
      return { counted: Number(row?.counted), size: Number(row?.size) };
    },
    async groups(from, to) {
      const rows = await database.query<Row>({ name: "metric-groups", text: groupsSql }, [from, to, durationBounds, delayBounds]);
      const entries: EntryGroup[] = [];
      const delays: DelayGroup[] = [];
      for (const { type, bucket, ...row } of rows) {
        const seconds = row.seconds ?? 0;
        if (type !== null) entries.push({ ...row, type, durationBucket: bucket, seconds });
        else if (bucket !== null) delays.push({ bucket, seconds, count: row.count });
      }
      return { entries, delays };
    },
    async add(from, to, tallies) {
      const rows = await database.query({ name: "metric-add", text: addSql }, [
        from,
        to,
        tallies.map(({ metric }) => metric),
        tallies.map(({ labels }) => labels),
        tallies.map(({ value }) => value),
      ]);
      return rows.length === 1;
    },
    async all() {
      // One statement: what is told and as of where belong together.
      const rows = await database.query<{ counted: string } & { [Key in keyof Tallied]: Tallied[Key] | null }>({
        name: "metric-all",
        text: "SELECT p.size AS counted, t.metric, t.labels, t.value FROM metric_position p LEFT JOIN metric_tally t ON true ORDER BY t.metric, t.labels",
      });
      const tallies = rows.flatMap(({ metric, labels, value }) =>
        metric === null || labels === null || value === null ? [] : [{ metric, labels, value }],
      );
      return { counted: Number(rows[0]?.counted ?? 0), tallies };
    },
  };
}

const extentSql = `
SELECT size AS counted, coalesce((SELECT c.size FROM ledger_checkpoint c ORDER BY c.size DESC LIMIT 1), 0) AS size FROM metric_position`;

// Only what ended has a code or a time, so only that is parsed. An action's effect is in its row. A bound is of its own bucket, as
// Prometheus' `le` has it, and to width_bucket of the one above: hence the nanosecond.
const groupsSql = `
WITH fact AS MATERIALIZED (
  SELECT e.type, e.tool, e.agent, a.effect, body.data ->> 'code' AS code, (body.data ->> 'durationMs')::float8 / 1000 AS seconds,
    greatest(0, extract(epoch FROM c.at - e.at))::float8 AS delay
  FROM ledger_leaf l
  JOIN ledger_entry e ON e.id = l.entry_id
  LEFT JOIN action a ON a.id = e.action_id
  LEFT JOIN LATERAL (SELECT at FROM ledger_checkpoint WHERE size > l.seq ORDER BY size LIMIT 1) c ON true
  LEFT JOIN LATERAL (
    SELECT convert_from(e.body, 'UTF8')::json -> 'data' AS data
    WHERE e.type LIKE 'action-%' AND e.type NOT IN ('action-intended', 'action-waiting')
  ) body ON true
  WHERE l.seq >= $1 AND l.seq < $2
)
SELECT type, tool, agent, effect, code, width_bucket(seconds - 1e-9, $3::float8[]) AS bucket, sum(seconds) AS seconds, count(*)::int AS count
FROM fact GROUP BY 1, 2, 3, 4, 5, 6
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, width_bucket(delay - 1e-9, $4::float8[]), sum(delay), count(*)::int
FROM fact WHERE delay IS NOT NULL GROUP BY 6`;

const addSql = `
WITH moved AS (
  UPDATE metric_position SET size = $2 WHERE size = $1 RETURNING size
), added AS (
  INSERT INTO metric_tally (metric, labels, value)
  SELECT metric, labels, value FROM moved, unnest($3::text[], $4::text[], $5::float8[]) AS t (metric, labels, value)
  ON CONFLICT (metric, labels) DO UPDATE SET value = metric_tally.value + excluded.value
)
SELECT size FROM moved`;
