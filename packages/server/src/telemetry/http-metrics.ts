import type { App } from "../http/http-app.ts";
import type { MetricFamily, MetricSource, Reading } from "./metric-family.ts";

const bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export const httpFamily: MetricFamily = {
  name: "remit_http_request_duration_seconds",
  type: "histogram",
  help: "Requests by route. What streams, or waits for an upstream, takes as long as that.",
  labels: ["method", "route", "status"],
  of: "server",
};

type Observed = { labels: Record<string, string>; buckets: number[]; sum: number };

/** Counts requests as they end. By the route's pattern: an address may be a secret, and there are as many as anybody likes. */
export function createHttpMetrics(app: App): MetricSource {
  const observed = new Map<string, Observed>();
  app.addHook("onResponse", (request, reply, done) => {
    const { route } = request;
    const status = `${Math.floor(reply.statusCode / 100)}xx`;
    // A method that no route takes may be any word.
    const method = route === "none" ? "any" : request.method;
    const key = `${method} ${route} ${status}`;
    let found = observed.get(key);
    if (found === undefined) {
      found = { labels: { method, route, status }, buckets: bounds.concat(0).fill(0), sum: 0 };
      observed.set(key, found);
    }
    const seconds = reply.elapsedTime / 1_000;
    let place = 0;
    while (place < bounds.length && seconds > (bounds[place] ?? 0)) place += 1;
    found.buckets[place] = (found.buckets[place] ?? 0) + 1;
    found.sum += seconds;
    done();
  });
  return { name: "http", families: [httpFamily], read: () => [...observed.values()].flatMap(readingsOf) };
}

function readingsOf({ labels, buckets, sum }: Observed): Reading[] {
  let below = 0;
  const told = buckets.map((count, place): Reading => {
    below += count;
    return { name: `${httpFamily.name}_bucket`, labels: { ...labels, le: String(bounds[place] ?? "+Inf") }, value: below };
  });
  return [...told, { name: `${httpFamily.name}_sum`, labels, value: sum }, { name: `${httpFamily.name}_count`, labels, value: below }];
}
