import { expect, test } from "vitest";
import { createLogger } from "../log/logger.ts";
import type { MetricFamily, Reading } from "./metric-family.ts";
import { openEndpoint, openReceiver } from "./otlp-receiver.testing.ts";
import { startPushingMetrics } from "./push-metrics.ts";

const families: MetricFamily[] = [
  { name: "remit_actions_total", type: "counter", help: "Actions", labels: ["outcome"], of: "whole" },
  { name: "remit_spans_total", type: "counter", help: "Spans", labels: [], of: "server" },
  { name: "remit_queue_items", type: "gauge", help: "Items", labels: [], of: "whole" },
  { name: "remit_control_state_age_seconds", type: "gauge", help: "Age", labels: [], of: "server" },
  { name: "remit_http_request_duration_seconds", type: "histogram", help: "Requests", labels: ["route"], of: "server" },
  { name: "remit_never_read", type: "gauge", help: "Nothing", labels: [], of: "whole" },
];
const bucket = (le: string, value: number): Reading => ({
  name: "remit_http_request_duration_seconds_bucket",
  labels: { route: "/", le },
  value,
});
const readings: Reading[] = [
  { name: "remit_actions_total", labels: { outcome: "denied" }, value: 3 },
  { name: "remit_spans_total", labels: {}, value: 4 },
  { name: "remit_queue_items", labels: {}, value: 5 },
  { name: "remit_control_state_age_seconds", labels: {}, value: Number.POSITIVE_INFINITY },
  bucket("0.1", 2),
  bucket("1", 5),
  bucket("+Inf", 6),
  { name: "remit_http_request_duration_seconds_sum", labels: { route: "/" }, value: 7.5 },
  { name: "remit_http_request_duration_seconds_count", labels: { route: "/" }, value: 6 },
];

test("[OBS-03] readings are sent by OTLP where an endpoint is set, as what they are", async () => {
  await using receiver = await openReceiver();
  const environment = {
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
    OTEL_METRIC_EXPORT_INTERVAL: "20",
    OTEL_EXPORTER_OTLP_HEADERS: "x-key=a%20b, broken",
  };
  const pushing = startPushingMetrics({
    environment,
    resource: { "service.name": "remit" },
    read: async () => ({ families, readings }),
    now: () => new Date(1_000),
    logger: createLogger({ level: "silent" }),
  });
  await expect.poll(() => receiver.metrics.length, { timeout: 30_000 }).toBeGreaterThan(0);
  await pushing?.stop();
  const [sent] = receiver.metrics;
  expect(sent?.headers["x-key"]).toBe("a b");
  const at = { timeUnixNano: "1000000000" };
  const since = { startTimeUnixNano: "1000000000" };
  const attribute = (key: string, stringValue: string) => ({ key, value: { stringValue } });
  expect(sent?.body).toEqual({
    resourceMetrics: [
      {
        resource: { attributes: [attribute("service.name", "remit")] },
        scopeMetrics: [
          {
            scope: { name: "remit" },
            metrics: [
              {
                name: "remit_actions_total",
                description: "Actions",
                sum: {
                  aggregationTemporality: 2,
                  isMonotonic: true,
                  dataPoints: [{ ...at, attributes: [attribute("outcome", "denied")], asDouble: 3 }],
                },
              },
              {
                name: "remit_spans_total",
                description: "Spans",
                sum: { aggregationTemporality: 2, isMonotonic: true, dataPoints: [{ ...at, ...since, attributes: [], asDouble: 4 }] },
              },
              { name: "remit_queue_items", description: "Items", gauge: { dataPoints: [{ ...at, attributes: [], asDouble: 5 }] } },
              {
                name: "remit_http_request_duration_seconds",
                description: "Requests",
                unit: "s",
                histogram: {
                  aggregationTemporality: 2,
                  dataPoints: [
                    {
                      ...at,
                      ...since,
                      attributes: [attribute("route", "/")],
                      explicitBounds: [0.1, 1],
                      bucketCounts: ["2", "3", "1"],
                      count: "6",
                      sum: 7.5,
                    },
                  ],
                },
              },
            ],
          },
        ],
      },
    ],
  });
});

test("[OBS-03] an endpoint that takes no metrics is told of once, without its address, and is tried again", async () => {
  const lines: string[] = [];
  let asked = 0;
  const pushing = startPushingMetrics({
    environment: { OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: "http://user:canary-8@127.0.0.1:9/", OTEL_METRIC_EXPORT_INTERVAL: "5" },
    resource: {},
    read: async () => {
      asked += 1;
      return { families, readings };
    },
    now: () => new Date(1_000),
    logger: createLogger({ destination: { write: (line) => void lines.push(line) } }),
  });
  await expect.poll(() => asked, { timeout: 30_000 }).toBeGreaterThan(3);
  await pushing?.stop();
  expect(lines).toHaveLength(1);
  expect(lines.join()).not.toContain("canary-8");
});

test.each([
  ["some", '{"partialSuccess":{"rejectedDataPoints":"2","errorMessage":"canary-8"}}', 1],
  ["none, and warns", '{"partialSuccess":{"rejectedDataPoints":"0","errorMessage":"canary-8"}}', 0],
])("[OBS-03] an endpoint that takes metrics and refuses %s of them is told of so often: %s %i", async (_name, answer, expected) => {
  let asked = 0;
  await using endpoint = await openEndpoint((request, response) => {
    request.resume().on("end", () => {
      asked += 1;
      response.writeHead(200, { "content-type": "application/json" }).end(answer);
    });
  });
  const lines: string[] = [];
  const pushing = startPushingMetrics({
    environment: { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint.url, OTEL_METRIC_EXPORT_INTERVAL: "5" },
    resource: {},
    read: async () => ({ families, readings }),
    now: () => new Date(1_000),
    logger: createLogger({ destination: { write: (line) => void lines.push(line) } }),
  });
  await expect.poll(() => asked, { timeout: 30_000 }).toBeGreaterThan(3);
  await pushing?.stop();
  expect(lines).toHaveLength(expected);
  expect(lines.join()).not.toContain("canary-8");
});

test.each([
  {},
  { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9", OTEL_METRICS_EXPORTER: "none" },
  { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9", OTEL_SDK_DISABLED: "true" },
  { OTEL_EXPORTER_OTLP_ENDPOINT: "no address" },
])("[OBS-03] nothing is sent for %o", (environment: Record<string, string>) => {
  const logger = createLogger({ level: "silent" });
  const read = async () => ({ families, readings });
  expect(startPushingMetrics({ environment, resource: {}, read, now: () => new Date(), logger })).toBeNull();
});
