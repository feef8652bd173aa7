import type { CapLimit } from "./cap-limits.ts";
import type { MetricFamily, MetricSource, Reading } from "./metric-family.ts";

/** What stands in the database at this moment. Null ages: there is nothing that could be old. */
export type StateFacts = {
  executing: number;
  approvals: { pending: number; oldestSeconds: number | null; granted: number };
  ledger: { size: number; pending: number; oldestPendingSeconds: number | null; checkpointAgeSeconds: number | null };
  queues: { queue: string; state: string; items: number }[];
  /** By any witness: whose word counts is a matter of policy, and `remit audit verify` says it. */
  witnessed: { size: number; ageSeconds: number | null; splitViews: number; anchorsFailing: number };
  runs: number;
  halts: { mode: string; count: number }[];
  /** Windows that can still be drawn on, the fullest of each scope. */
  budgets: { policy: string; scope: string; spent: number; reserved: number }[];
  /** How far behind the ledger each consumer of events is; deliveries that wait to be tried again, or are given up. */
  consumers: { consumer: string; behind: number }[];
  deliveries: { state: string; count: number }[];
  leases: number;
  /** Seconds until the next one of a kind ends by itself; negative: it has. */
  expiries: { kind: "agent-secret" | "credential-grant"; name: string; seconds: number }[];
  servers: number;
};

export type StateFactsStore = { read(): Promise<StateFacts> };

const gauge = (name: string, help: string, labels: readonly string[] = []): MetricFamily => ({
  name,
  type: "gauge",
  help,
  labels,
  of: "whole",
});

export const stateFamilies: readonly MetricFamily[] = [
  gauge("remit_actions_executing", "Actions whose intent is committed and whose outcome is not."),
  gauge("remit_approvals_pending", "Requests that wait for people."),
  gauge("remit_approvals_oldest_pending_seconds", "How long the oldest request has waited for people."),
  gauge("remit_approvals_granted", "Requests that were granted and not yet used."),
  gauge("remit_ledger_size_entries", "Entries under a signed checkpoint."),
  gauge("remit_ledger_pending_entries", "Entries that are committed and have no place yet."),
  gauge(
    "remit_ledger_oldest_pending_seconds",
    "How long the oldest of them has waited for its place; its making, where that is later known.",
  ),
  gauge("remit_ledger_checkpoint_age_seconds", "Since the newest checkpoint was signed. Grows while nothing happens."),
  gauge("remit_ledger_witnessed_entries", "The size of the newest checkpoint that a witness has signed; 0: none has signed any."),
  gauge("remit_ledger_witnessed_age_seconds", "Since that signature came."),
  gauge("remit_ledger_split_views", "Contradictions that somebody has shown: two signed checkpoints that cannot both be true."),
  gauge("remit_anchors_failing", "Witnesses and sinks that did not take the last checkpoint."),
  gauge("remit_queue_items", "Work in queues that is not done.", ["queue", "state"]),
  gauge("remit_runs_running", "Runs that have not ended."),
  gauge("remit_halts_in_force", "Halts that nobody has released.", ["mode"]),
  gauge("remit_budget_spent", "Spent in the fullest current window of a budget: actions, or minor units of an amount.", [
    "policy",
    "scope",
  ]),
  gauge("remit_budget_reserved", "Reserved in that window by actions in flight.", ["policy", "scope"]),
  gauge("remit_budget_limit", "What that budget is held to.", ["policy", "scope"]),
  gauge(
    "remit_stream_behind_entries",
    "Entries that a consumer of events has not been given: `nats`, or the webhook that is furthest behind.",
    ["consumer"],
  ),
  gauge("remit_webhook_deliveries", "Deliveries that wait to be tried again, and dead letters.", ["state"]),
  gauge("remit_credential_leases", "Leases of upstream credentials in force."),
  gauge("remit_credential_expiry_seconds", "Until the next credential of this name ends by itself; negative: it has.", ["kind", "name"]),
  gauge("remit_servers_alive", "Servers that say that they are alive."),
];

/** What is waiting, executing, in force or about to end. */
export function createStateMetrics(store: StateFactsStore, limits: () => readonly CapLimit[]): MetricSource {
  return {
    name: "state",
    families: stateFamilies,
    async read() {
      const { approvals, ledger, ...facts } = await store.read();
      const one = (name: string, value: number | null, labels: Record<string, string> = {}): Reading[] =>
        value === null ? [] : [{ name, labels, value }];
      return [
        ...one("remit_actions_executing", facts.executing),
        ...one("remit_approvals_pending", approvals.pending),
        ...one("remit_approvals_oldest_pending_seconds", approvals.oldestSeconds ?? 0),
        ...one("remit_approvals_granted", approvals.granted),
        ...one("remit_ledger_size_entries", ledger.size),
        ...one("remit_ledger_pending_entries", ledger.pending),
        ...one("remit_ledger_oldest_pending_seconds", ledger.oldestPendingSeconds ?? 0),
        ...one("remit_ledger_checkpoint_age_seconds", ledger.checkpointAgeSeconds),
        ...one("remit_ledger_witnessed_entries", facts.witnessed.size),
        ...one("remit_ledger_witnessed_age_seconds", facts.witnessed.ageSeconds),
        ...one("remit_ledger_split_views", facts.witnessed.splitViews),
        ...one("remit_anchors_failing", facts.witnessed.anchorsFailing),
        ...facts.queues.flatMap(({ queue, state, items }) => one("remit_queue_items", items, { queue, state })),
        ...one("remit_runs_running", facts.runs),
        ...["halt", "safe-mode"].flatMap((mode) =>
          one("remit_halts_in_force", facts.halts.find((halt) => halt.mode === mode)?.count ?? 0, { mode }),
        ),
        ...facts.budgets.flatMap(({ policy, scope, spent, reserved }) => [
          ...one("remit_budget_spent", spent, { policy, scope }),
          ...one("remit_budget_reserved", reserved, { policy, scope }),
        ]),
        ...limits().flatMap(({ policy, scope, limit }) => one("remit_budget_limit", limit, { policy, scope })),
        ...facts.consumers.flatMap(({ consumer, behind }) => one("remit_stream_behind_entries", behind, { consumer })),
        ...["waiting", "dead"].flatMap((state) =>
          one("remit_webhook_deliveries", facts.deliveries.find((delivery) => delivery.state === state)?.count ?? 0, { state }),
        ),
        ...one("remit_credential_leases", facts.leases),
        ...facts.expiries.flatMap(({ kind, name, seconds }) => one("remit_credential_expiry_seconds", seconds, { kind, name })),
        ...one("remit_servers_alive", facts.servers),
      ];
    },
  };
}
