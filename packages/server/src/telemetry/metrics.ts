import { collectDefaultMetrics, Registry } from "prom-client";
import type { Logger } from "../log/logger.ts";
import type { MetricFamily, MetricSource, Reading } from "./metric-family.ts";
import { renderMetrics } from "./metric-family.ts";

/** A source that gives no answer in this time is left out: the others are told. */
const patienceMs = 5_000;

export type Metrics = {
  /** Adds what tells readings. @throws Error where a name is taken */
  add(source: MetricSource): void;
  /** All readings, in Prometheus' text format. Askers at the same moment share one reading. */
  text(): Promise<string>;
  /** The same without what Node tells of its process. */
  read(): Promise<{ families: MetricFamily[]; readings: Reading[] }>;
  families(): MetricFamily[];
  stop(): void;
};

export const sourceUp: MetricFamily = {
  name: "remit_metrics_source_up",
  type: "gauge",
  help: "Whether a source of metrics could be read just now. 0: its metrics are missing here.",
  labels: ["source"],
  of: "server",
};

/**
 * What this server tells of itself and, while it leads, of the whole. What stands in the database is told by one server, so that sums over
 * servers are right: by the one that sequences.
 */
export function createMetrics(options: { isLeading: () => boolean; logger: Logger }): Metrics {
  const sources: MetricSource[] = [];
  const failing = new Set<string>();
  const own = new Registry();
  collectDefaultMetrics({ register: own, eventLoopMonitoringPrecision: 20 });

  async function readingsOf(source: MetricSource): Promise<readonly Reading[]> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(new Error(`no answer within ${patienceMs} ms`)), patienceMs);
    try {
      const readings = await Promise.race([source.read(), late.promise]);
      failing.delete(source.name);
      return [...readings, { name: sourceUp.name, labels: { source: source.name }, value: 1 }];
    } catch (error) {
      if (!failing.has(source.name)) options.logger.warn({ err: error, source: source.name }, "metrics of one source could not be read");
      failing.add(source.name);
      return [{ name: sourceUp.name, labels: { source: source.name }, value: 0 }];
    } finally {
      clearTimeout(timer);
    }
  }

  async function read(): Promise<{ families: MetricFamily[]; readings: Reading[] }> {
    const asked = options.isLeading() ? sources : sources.filter(({ families }) => families.some(({ of }) => of === "server"));
    return { families: families(), readings: (await Promise.all(asked.map(readingsOf))).flat() };
  }

  async function text(): Promise<string> {
    const told = await read();
    return `${renderMetrics(told.families, told.readings)}\n${await own.metrics()}`;
  }

  function families(): MetricFamily[] {
    return [...sources.flatMap((source) => source.families), sourceUp];
  }

  let reading: Promise<string> | null = null;
  return {
    add(source) {
      const taken = new Set(families().map(({ name }) => name));
      for (const { name } of source.families) if (taken.has(name)) throw new Error(`there is a metric named ${name} already`);
      sources.push(source);
    },
    text() {
      reading ??= text().finally(() => (reading = null));
      return reading;
    },
    read,
    families,
    stop: () => own.clear(),
  };
}
