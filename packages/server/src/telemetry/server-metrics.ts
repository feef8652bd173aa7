import type { UpstreamHealth } from "../upstream/upstreams.ts";
import type { SpanCounts } from "./tracing.ts";
import type { MetricFamily, MetricSource, Reading } from "./metric-family.ts";

const family = (type: "gauge" | "counter", name: string, help: string, labels: readonly string[] = []): MetricFamily => ({
  name,
  type,
  help,
  labels,
  of: "server",
});

export const serverFamilies: readonly MetricFamily[] = [
  family("gauge", "remit_build_info", "Always 1; says which version runs.", ["version"]),
  family("gauge", "remit_sequencer_leading", "1 where this server orders the ledger, and tells what is of the whole."),
  family(
    "gauge",
    "remit_control_state_age_seconds",
    "Since halts, revocations and the registry were last confirmed; nothing runs beyond 2 s.",
  ),
  family("gauge", "remit_upstream_up", "1 where this server can call the upstream.", ["upstream"]),
  family("counter", "remit_upstream_restarts_total", "Connections to an upstream that were made again.", ["upstream"]),
  family("gauge", "remit_upstream_circuits", "Tools of an upstream that are not called, or only tried, because they fail.", [
    "upstream",
    "state",
  ]),
  family("counter", "remit_spans_total", "Spans that have ended: sent, dropped because nobody took them, or never meant to be sent.", [
    "result",
  ]),
  family("gauge", "remit_spans_waiting", "Spans that wait to be sent."),
  family("gauge", "remit_circuit_open", "1 for each tool that is not called for now; nothing for all others.", [
    "upstream",
    "environment",
    "tool",
  ]),
];

/** What this server sees by itself. */
export function createServerMetrics(options: {
  version: string;
  isLeading: () => boolean;
  /** Null before the first confirmation. */
  controlAgeMs: () => number | null;
  upstreams: () => UpstreamHealth[];
  spans: () => SpanCounts;
}): MetricSource {
  return {
    name: "server",
    families: serverFamilies,
    read() {
      const age = options.controlAgeMs();
      const readings: Reading[] = [
        { name: "remit_build_info", labels: { version: options.version }, value: 1 },
        { name: "remit_sequencer_leading", labels: {}, value: options.isLeading() ? 1 : 0 },
        { name: "remit_control_state_age_seconds", labels: {}, value: age === null ? Number.POSITIVE_INFINITY : age / 1_000 },
      ];
      const { waiting, ...spans } = options.spans();
      for (const [result, value] of Object.entries(spans)) readings.push({ name: "remit_spans_total", labels: { result }, value });
      readings.push({ name: "remit_spans_waiting", labels: {}, value: waiting });
      return [...readings, ...options.upstreams().flatMap(upstreamReadings)];
    },
  };
}

function upstreamReadings({ upstream, state, restarts, circuits = [] }: UpstreamHealth): Reading[] {
  const labels = { upstream };
  const open = circuits.filter((circuit) => circuit.state === "open");
  return [
    { name: "remit_upstream_up", labels, value: state === "ready" ? 1 : 0 },
    { name: "remit_upstream_restarts_total", labels, value: restarts },
    { name: "remit_upstream_circuits", labels: { ...labels, state: "open" }, value: open.length },
    { name: "remit_upstream_circuits", labels: { ...labels, state: "half-open" }, value: circuits.length - open.length },
    ...open.map(({ environment, tool }) => ({ name: "remit_circuit_open", labels: { upstream, environment, tool }, value: 1 })),
  ];
}
