import { canonicalJson } from "@remit/core";
import type { MetricFamily, Reading } from "./metric-family.ts";

type Point = { startTimeUnixNano?: string; timeUnixNano: string; attributes: { key: string; value: { stringValue: string } }[] };

/** From one reading of everything. `startedAt`: since when this server counts. */
export type Told = { families: readonly MetricFamily[]; readings: readonly Reading[]; at: Date; startedAt: Date };

/** OTLP's JSON for readings, under Prometheus' names: who has both then finds one metric, not two. */
export function otlpMetrics({ families, readings, at, startedAt }: Told, resource: Readonly<Record<string, string>>): object {
  const attributes = (pairs: Readonly<Record<string, string>>) =>
    Object.entries(pairs).map(([key, stringValue]) => ({ key, value: { stringValue } }));
  const point = ({ of, type }: MetricFamily, labels: Readonly<Record<string, string>>): Point => ({
    // What is of the whole has counted since before anybody can say.
    ...(of === "server" && type !== "gauge" ? { startTimeUnixNano: nanoseconds(startedAt) } : {}),
    timeUnixNano: nanoseconds(at),
    attributes: attributes(labels),
  });
  const metrics = families.flatMap((family): object[] => {
    const { name, type, help: description } = family;
    const own = readings.filter((reading) => reading.name === name);
    const dataPoints = own
      .filter(({ value }) => Number.isFinite(value))
      .map((one) => ({ ...point(family, one.labels), asDouble: one.value }));
    if (type === "histogram") {
      const points = histograms(name, readings).map(({ labels, ...numbers }) => ({ ...point(family, labels), ...numbers }));
      return points.length === 0 ? [] : [{ name, description, unit: "s", histogram: { aggregationTemporality: 2, dataPoints: points } }];
    }
    if (dataPoints.length === 0) return [];
    const data = type === "gauge" ? { gauge: { dataPoints } } : { sum: { aggregationTemporality: 2, isMonotonic: true, dataPoints } };
    return [{ name, description, ...data }];
  });
  return { resourceMetrics: [{ resource: { attributes: attributes(resource) }, scopeMetrics: [{ scope: { name: "remit" }, metrics }] }] };
}

/** Prometheus tells each bucket with all below it, OTLP by itself. */
function histograms(name: string, readings: readonly Reading[]) {
  const found = new Map<string, { labels: Record<string, string>; explicitBounds: number[]; below: number[]; sum: number }>();
  for (const { name: part, labels: all, value } of readings) {
    if (part !== `${name}_bucket` && part !== `${name}_sum`) continue;
    const { le, ...labels } = all;
    const key = canonicalJson(labels);
    const one = found.get(key) ?? { labels, explicitBounds: [], below: [], sum: 0 };
    found.set(key, one);
    if (le === undefined) one.sum = value;
    else one.below.push(value);
    if (le !== undefined && le !== "+Inf") one.explicitBounds.push(Number(le));
  }
  return [...found.values()].map(({ labels, explicitBounds, below, sum }) => ({
    labels,
    explicitBounds,
    bucketCounts: below.map((count, place) => String(count - (below[place - 1] ?? 0))),
    count: String(below.at(-1) ?? 0),
    sum,
  }));
}

function nanoseconds(time: Date): string {
  return `${time.getTime()}000000`;
}
