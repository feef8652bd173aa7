import type { Queryable } from "../database/database.ts";
import type { StateFacts, StateFactsStore } from "./state-metrics.ts";

/** Reads what stands in the database. `buckets`: the parts of budget windows' keys that are of this day, hour and minute. */
export function createStateFacts(database: Queryable, buckets: () => readonly string[]): StateFactsStore {
  return {
    async read() {
      const [counts, queues, halts, budgets, expiries, consumers, deliveries] = await Promise.all([
        database.query<Counts>({ name: "metric-counts", text: countsSql }),
        database.query<StateFacts["queues"][number]>({ name: "metric-queues", text: queuesSql }),
        database.query<StateFacts["halts"][number]>({ name: "metric-halts", text: haltsSql }),
        database.query<StateFacts["budgets"][number]>({ name: "metric-budgets", text: budgetsSql }, [buckets()]),
        database.query<StateFacts["expiries"][number]>({ name: "metric-expiries", text: expiriesSql }),
        database.query<StateFacts["consumers"][number]>({ name: "metric-consumers", text: consumersSql }),
        database.query<StateFacts["deliveries"][number]>({ name: "metric-deliveries", text: deliveriesSql }),
      ]);
      const [row] = counts;
      if (row === undefined) throw new Error("no row was counted");
      return {
        executing: row.executing,
        approvals: { pending: row.pending, oldestSeconds: row.oldest_pending, granted: row.granted },
        ledger: {
          size: row.size,
          pending: row.unsequenced,
          oldestPendingSeconds: row.oldest_unsequenced,
          checkpointAgeSeconds: row.checkpoint_age,
        },
        witnessed: { size: row.witnessed, ageSeconds: row.witnessed_age, splitViews: row.split_views, anchorsFailing: row.anchors_failing },
        runs: row.runs,
        leases: row.leases,
        servers: row.servers,
        queues,
        halts,
        budgets,
        expiries,
        consumers,
        deliveries,
      };
    },
  };
}

type Counts = Record<
  | "executing"
  | "pending"
  | "granted"
  | "size"
  | "unsequenced"
  | "runs"
  | "leases"
  | "servers"
  | "witnessed"
  | "split_views"
  | "anchors_failing",
  number
> &
  Record<"oldest_pending" | "oldest_unsequenced" | "checkpoint_age" | "witnessed_age", number | null>;

const countsSql = `
SELECT
  (SELECT count(*)::int FROM action WHERE state = 'executing') AS executing,
  (SELECT count(*)::int FROM approval WHERE state = 'pending') AS pending,
  (SELECT count(*)::int FROM approval WHERE state = 'granted') AS granted,
  (SELECT extract(epoch FROM clock_timestamp() - min(requested_at))::float8 FROM approval WHERE state = 'pending') AS oldest_pending,
  (SELECT coalesce(max(size), 0)::float8 FROM ledger_checkpoint) AS size,
  (SELECT coalesce(sum(cardinality(entry_ids)), 0)::int FROM ledger_pending) AS unsequenced,
  (SELECT extract(epoch FROM clock_timestamp() - e.at)::float8 FROM (SELECT entry_ids FROM ledger_pending ORDER BY serial LIMIT 1) p
     JOIN ledger_entry e ON e.id = p.entry_ids[1]) AS oldest_unsequenced,
  (SELECT extract(epoch FROM clock_timestamp() - at)::float8 FROM ledger_checkpoint ORDER BY size DESC LIMIT 1) AS checkpoint_age,
  (SELECT coalesce(max(size), 0)::float8 FROM ledger_cosignature) AS witnessed,
  (SELECT extract(epoch FROM clock_timestamp() - at)::float8 FROM ledger_cosignature ORDER BY size DESC LIMIT 1) AS witnessed_age,
  (SELECT count(*)::int FROM ledger_split_view) AS split_views,
  (SELECT count(*)::int FROM ledger_anchor WHERE failures > 0) AS anchors_failing,
  (SELECT count(*)::int FROM run WHERE state = 'running') AS runs,
  (SELECT count(*)::int FROM credential_lease WHERE ended_at IS NULL AND expires_at > clock_timestamp()) AS leases,
  (SELECT count(*)::int FROM server_instance WHERE heartbeat_at > clock_timestamp() - interval '10 s') AS servers`;

const queuesSql = `
SELECT queue, state, count(*)::int AS items FROM queue_item WHERE state <> 'completed' GROUP BY queue, state ORDER BY queue, state LIMIT 500`;

const haltsSql = "SELECT mode, count(*)::int AS count FROM halt WHERE released_at IS NULL GROUP BY mode";

// A window's owner may be a run, which is no label: of each budget only the fullest window is told.
const budgetsSql = `
SELECT DISTINCT ON (policy, scope) policy, scope, spent::float8 AS spent, reserved::float8 AS reserved
FROM (
  SELECT split_part(key, '/', 2) AS policy, split_part(key, '/', 3) AS scope, spent, reserved FROM budget_window
  WHERE key LIKE 'cap/%' AND reverse(split_part(reverse(key), '/', 1)) = ANY ($1::text[])
) w
ORDER BY policy, scope, spent + reserved DESC LIMIT 500`;

const expiriesSql = `
SELECT kind, name, extract(epoch FROM min(expires_at) - clock_timestamp())::float8 AS seconds
FROM (
  SELECT 'agent-secret' AS kind, agent AS name, max(expires_at) AS expires_at FROM agent_secret WHERE retired_at IS NULL GROUP BY agent
  UNION ALL
  SELECT 'credential-grant', credential, expires_at FROM credential_grant WHERE state = 'connected' AND expires_at IS NOT NULL
) e
GROUP BY kind, name ORDER BY seconds LIMIT 500`;

const consumersSql = `
SELECT consumer, greatest(0, (SELECT coalesce(max(size), 0) FROM ledger_checkpoint) - min(place))::float8 AS behind
FROM (
  SELECT name AS consumer, place FROM stream_cursor UNION ALL SELECT 'webhooks', place FROM webhook WHERE state = 'active'
) c
GROUP BY consumer ORDER BY consumer LIMIT 100`;

const deliveriesSql = "SELECT state, count(*)::int AS count FROM webhook_delivery GROUP BY state";
