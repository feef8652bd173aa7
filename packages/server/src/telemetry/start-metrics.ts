import { readFileSync } from "node:fs";
import type { App } from "../http/http-app.ts";
import type { MasterKey } from "../keys/master-key.ts";
import type { Logger } from "../log/logger.ts";
import type { RegistrySource } from "../registry/registry-source.ts";
import type { UpstreamHealth } from "../upstream/upstreams.ts";
import { capLimits } from "./cap-limits.ts";
import type { CapLimit } from "./cap-limits.ts";
import { createHttpMetrics } from "./http-metrics.ts";
import { createLedgerMetrics } from "./ledger-metrics.ts";
import { createMetrics } from "./metrics.ts";
import type { Metrics } from "./metrics.ts";
import { listenForMetrics, registerMetricsRoutes } from "./metrics.routes.ts";
import { openMetricsToken } from "./metrics-token.ts";
import { startPushingMetrics } from "./push-metrics.ts";
import { createServerMetrics } from "./server-metrics.ts";
import { createStateMetrics } from "./state-metrics.ts";
import type { StateFactsStore } from "./state-metrics.ts";
import type { TallyStore } from "./tally-store.ts";
import type { Tracing } from "./tracing.ts";

export type StartMetricsOptions = {
  environment: Readonly<Record<string, string | undefined>>;
  dataDir: string;
  masterKey: MasterKey;
  isLeading: () => boolean;
  controlAgeMs: () => number | null;
  upstreams: () => UpstreamHealth[];
  tracing: Pick<Tracing, "counts">;
  registry: RegistrySource;
  tally: TallyStore;
  state: StateFactsStore;
  /** Which of the servers this is. */
  instance: string;
  now: () => Date;
  logger: Logger;
};

/** Metrics with all that every server tells, on the app and, where `REMIT_METRICS_ADDRESS` is set, on an address of their own. */
export async function startMetrics(app: App, options: StartMetricsOptions): Promise<Metrics & { stop(): Promise<void> }> {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version: string };
  const metrics = createMetrics(options);
  metrics.add(createLedgerMetrics({ store: options.tally, known: () => namesIn(options.registry) }));
  metrics.add(createStateMetrics(options.state, () => limitsIn(options.registry)));
  metrics.add(createServerMetrics({ ...options, spans: () => options.tracing.counts(), version }));
  metrics.add(createHttpMetrics(app));
  registerMetricsRoutes(app, { metrics, token: await openMetricsToken(options.masterKey, options.dataDir) });
  const address = options.environment["REMIT_METRICS_ADDRESS"] ?? "";
  const listener = address === "" ? null : await listenForMetrics(address, metrics);
  if (listener !== null) options.logger.info({ url: listener.url }, "metrics are told here to anybody who asks");
  const pushing = startPushingMetrics({
    ...options,
    resource: {
      "service.name": options.environment["OTEL_SERVICE_NAME"] || "remit",
      "service.version": version,
      "service.instance.id": options.instance,
    },
    read: () => metrics.read(),
  });
  return {
    ...metrics,
    async stop() {
      await pushing?.stop();
      await listener?.stop();
      metrics.stop();
    },
  };
}

function limitsIn(registry: RegistrySource): CapLimit[] {
  try {
    return capLimits(registry.current());
  } catch {
    return [];
  }
}

/** Nothing is registered where the registry cannot be confirmed just now: then new names wait for a series. */
function namesIn(registry: RegistrySource): Record<"agent" | "tool", ReadonlySet<string>> {
  try {
    const { agents, tools } = registry.current();
    return { agent: new Set(agents.keys()), tool: new Set(tools.keys()) };
  } catch {
    return { agent: new Set(), tool: new Set() };
  }
}
