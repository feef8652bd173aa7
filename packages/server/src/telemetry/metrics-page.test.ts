import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { allFamilies, metricsTable } from "./metrics-page.ts";

const page = readFileSync(new URL("../../../../docs/telemetry.md", import.meta.url), "utf8");
const alerts = readFileSync(new URL("../../../../deploy/prometheus/alerts.yaml", import.meta.url), "utf8");
const words = (text: string): string => text.replaceAll(/ {2,}/g, " ").replaceAll(/-{3,}/g, "---");

test("[OBS-03] docs/telemetry.md lists every metric; if not: npm run docs:metrics", () => {
  expect(words(page)).toContain(words(metricsTable()));
});

test("[OBS-03] names are as Prometheus has them: a prefix, a base unit, _total for what only grows", () => {
  for (const { name, type, labels } of allFamilies) {
    expect(name).toMatch(/^remit_[a-z][a-z_]*[a-z]$/);
    expect(name.endsWith("_total")).toBe(type === "counter");
    expect(name).not.toMatch(/_(?:ms|milliseconds|minutes|hours|kb|mb)(?:_|$)/);
    // Ids make a series for each action, run or person.
    for (const label of labels) expect(label).not.toMatch(/(?:^|_)(?:id|run|action|approval|trace|person|session|token)$/);
  }
  expect(new Set(allFamilies.map(({ name }) => name)).size).toBe(allFamilies.length);
});

test("[OBS-03] alerts speak of metrics that there are", () => {
  const named = new Set(alerts.match(/\bremit_[a-z_]+\b/g));
  const told = new Set(
    allFamilies.flatMap(({ name, type }) => (type === "histogram" ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name])),
  );
  expect([...named].filter((name) => !told.has(name))).toEqual([]);
  expect(named.size).toBeGreaterThan(10);
});
