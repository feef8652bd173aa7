import type { Issue, JsonObject, NewEntry, UpstreamSpec } from "@remit/contract";
import { RemitError } from "@remit/contract";
import { createControlState } from "../control/control-state.postgres.ts";
import type { RunningControlState } from "../control/control-state.postgres.ts";
import type { TestDatabase } from "../database/testing.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { PolicyEngine } from "../policy/policy-engine.ts";
import type { OfferedTool, Upstreams } from "../upstream/upstreams.ts";
import { registryStore } from "./registry.postgres.ts";
import { createRegistry } from "./registry.service.ts";
import type { RegistryService } from "./registry.service.ts";

export type TestRegistry = {
  registry: RegistryService;
  control: RunningControlState;
  upstreams: TestUpstreams;
  /** Entries that were committed. */
  entries: () => Promise<NewEntry[]>;
  /** Another server on the same database. */
  replica: () => Promise<{ registry: RegistryService; control: RunningControlState }>;
};

/** A registry on a real database, with a ledger that is one table and an engine that takes any policy but a `syntax error`. */
export async function openRegistry(
  test: TestDatabase,
  upstreams: Upstreams & Partial<TestUpstreams> = testUpstreams(),
): Promise<TestRegistry> {
  await test.superuser.query("CREATE TABLE noted (number serial PRIMARY KEY, entry json NOT NULL)");
  await test.superuser.query("GRANT SELECT, INSERT ON noted TO remit_app; ");
  await test.superuser.query("GRANT USAGE ON SEQUENCE noted_number_seq TO remit_app");
  const ledger: Ledger = {
    async append(transaction, entries) {
      for (const entry of entries) await transaction.query("INSERT INTO noted (entry) VALUES ($1)", [JSON.stringify(entry)]);
    },
    async record(entry) {
      await test.database.query("INSERT INTO noted (entry) VALUES ($1)", [JSON.stringify(entry)]);
    },
  };
  async function replica() {
    const control = createControlState({ database: test.database, monotonicMs: () => performance.now(), onError: () => undefined });
    const registry = createRegistry({
      database: test.database,
      store: registryStore,
      ledger,
      control,
      upstreams,
      policyEngine: testEngine,
      now: () => new Date("2026-11-21T10:00:00.000Z"),
    });
    await control.refresh();
    return { registry, control };
  }
  return {
    ...(await replica()),
    replica,
    upstreams: upstreams as TestUpstreams,
    async entries() {
      return (await test.superuser.query<{ entry: NewEntry }>("SELECT entry FROM noted ORDER BY number")).map(({ entry }) => entry);
    },
  };
}

const testEngine: PolicyEngine = {
  decide: () => ({ type: "deny", code: "no-grant", reason: "never asked here", policies: [], shadow: [] }),
  couldAllow: () => false,
  async prepare(registry) {
    const issues: Issue[] = [...registry.policies.values()].flatMap(({ sources }) =>
      sources.flatMap(({ file, text }) => (text.includes("syntax error") ? [{ message: "a syntax error", file }] : [])),
    );
    if (issues.length > 0) throw new RemitError("invalid-configuration", "policies do not compile", { issues });
  },
};

export type TestUpstreams = Upstreams & {
  /** What each upstream offers; without an entry it is down. Change it to make it drift. */
  offers: Map<string, OfferedTool[]>;
  /** Specifications that were started to be asked. */
  probed: UpstreamSpec[];
};

export function testUpstreams(offers: Record<string, OfferedTool[]> = { helpdesk: helpdeskTools() }): TestUpstreams {
  const all = new Map(Object.entries(offers));
  const probed: UpstreamSpec[] = [];
  const offered = async (upstream: string) => {
    const tools = all.get(upstream);
    if (tools === undefined) throw new RemitError("upstream-unavailable", `upstream "${upstream}" does not answer`);
    return tools;
  };
  return {
    offers: all,
    probed,
    offered,
    probe: async (spec) => {
      probed.push(spec);
      return offered(spec.name);
    },
    call: async () => ({ content: [] }),
    health: () => [],
  };
}

export function offer(name: string, description: string, properties: JsonObject = {}): OfferedTool {
  return { name, description, inputSchema: { type: "object", properties }, outputSchema: null, raw: {} };
}

export function helpdeskTools(): OfferedTool[] {
  return [
    offer("tickets.read", "Reads a ticket", { id: { type: "string" } }),
    offer("send_email", "Sends a mail", { to: { type: "string" } }),
  ];
}
