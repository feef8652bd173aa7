import type { MetricFamily, MetricSource } from "./metric-family.ts";
import { readingsOf, summed, tallyFamilies, tallyOf, tallyOfDelays } from "./tally.ts";
import type { TallyStore } from "./tally-store.ts";

/** Names of agents or tools that get series of their own. All others are one: `other`. */
const maxNames = 200;
const batchSize = 5_000;
/** How long one asking may count. What is left is counted the next time, and told as behind. */
const patienceMs = 3_000;

const behind: MetricFamily = {
  name: "remit_ledger_uncounted_entries",
  type: "gauge",
  help: "Entries under a checkpoint that the counters do not have yet.",
  labels: [],
  of: "whole",
};
const counted: MetricFamily = {
  name: "remit_ledger_counted_entries",
  type: "gauge",
  help: "The size of the ledger that the counters stand for.",
  labels: [],
  of: "whole",
};

export const ledgerFamilies: readonly MetricFamily[] = [...tallyFamilies, behind, counted];

/**
 * Counters of what the ledger holds. They are counted from it, and only when somebody asks: the path of an action pays nothing, a restart
 * loses nothing, and what is told is what is recorded.
 */
export function createLedgerMetrics(options: {
  store: TallyStore;
  /** Names that are registered. */
  known: () => Readonly<Record<"agent" | "tool", ReadonlySet<string>>>;
}): MetricSource {
  const { store } = options;
  const kept = { agent: new Set<string>(), tool: new Set<string>() };

  /** The name where it is registered, as long as there are not too many. */
  function naming(): (kind: "agent" | "tool", name: string | null) => string {
    const known = options.known();
    return (kind, name) => {
      if (name === null) return "none";
      if (kept[kind].has(name)) return name;
      if (!known[kind].has(name) || kept[kind].size >= maxNames) return "other";
      kept[kind].add(name);
      return name;
    };
  }

  async function catchUp(): Promise<number> {
    const until = performance.now() + patienceMs;
    let { counted: from, size } = await store.extent();
    while (from < size && performance.now() < until) {
      const to = Math.min(from + batchSize, size);
      const { entries, delays } = await store.groups(from, to);
      await store.add(from, to, summed([...tallyOf(entries, naming()), ...tallyOfDelays(delays)]));
      ({ counted: from, size } = await store.extent());
    }
    return size - from;
  }

  return {
    name: "ledger",
    families: ledgerFamilies,
    async read() {
      // Those that have a series keep it.
      for (const { labels } of (await store.all()).tallies) {
        const { agent, tool } = JSON.parse(labels) as { agent?: string; tool?: string };
        if (agent !== undefined) kept.agent.add(agent);
        if (tool !== undefined) kept.tool.add(tool);
      }
      const left = await catchUp();
      const { tallies, counted: upTo } = await store.all();
      return [...readingsOf(tallies), { name: behind.name, labels: {}, value: left }, { name: counted.name, labels: {}, value: upTo }];
    },
  };
}
