import type { JsonObject, LedgerEvent, UpstreamSpec } from "@remit/contract";
import { RemitError } from "@remit/contract";
import { createControlState } from "../control/control-state.postgres.ts";
import type { RunningControlState } from "../control/control-state.postgres.ts";
import type { TestDatabase } from "../database/testing.ts";
import type { LedgerParts } from "../ledger/ledger.testing.ts";
import { createCedarEngine } from "../policy/cedar-engine.ts";
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
  entries: () => Promise<{ type: string; actor: string; data: LedgerEvent["data"] }[]>;
  /** Another server on the same database. */
  replica: (engine?: PolicyEngine) => Promise<{ registry: RegistryService; control: RunningControlState }>;
};

/** A registry with everything real about it but its upstreams, unless they are given. */
export async function openRegistry(
  test: TestDatabase & LedgerParts,
  upstreams: Pick<Upstreams, "offered" | "probe"> & Partial<TestUpstreams> = testUpstreams(),
): Promise<TestRegistry> {
  let ticks = 0;
  async function replica(engine: PolicyEngine = createCedarEngine()) {
    // A clock that stands still: a slow machine must not make a copy stale in the middle of a test.
    const control = createControlState({ database: test.database, monotonicMs: () => 0, onError: () => undefined });
    const registry = createRegistry({
      database: test.database,
      store: registryStore,
      ledger: test.ledger,
      control,
      upstreams,
      policyEngine: engine,
      now: () => new Date(Date.UTC(2026, 10, 21, 10, 0, 0, (ticks += 1))),
    });
    await control.refresh().catch(() => undefined);
    return { registry, control };
  }
  return {
    ...(await replica()),
    replica,
    upstreams: upstreams as TestUpstreams,
    async entries() {
      const rows = await test.superuser.query<{ body: Buffer }>("SELECT body FROM ledger_entry ORDER BY at, type DESC");
      return rows.map(({ body }) => {
        const { type, actor, data } = JSON.parse(body.toString("utf8")) as LedgerEvent;
        return { type: type.replace("remit.", ""), actor, data };
      });
    },
  };
}

export type TestUpstreams = Pick<Upstreams, "offered" | "probe"> & {
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
