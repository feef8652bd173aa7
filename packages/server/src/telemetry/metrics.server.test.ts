import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openTestDatabase } from "../database/testing.ts";
import { startServer } from "../main.ts";
import type { RunningServer } from "../main.ts";
import { valuesOf } from "./metrics.testing.ts";

let folder: string;
let database: Awaited<ReturnType<typeof openTestDatabase>>;
let server: RunningServer;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "remit-metrics-"));
  database = await openTestDatabase();
  server = await startServer({
    dataDir: join(folder, "data"),
    host: "127.0.0.1",
    port: 0,
    logLevel: "silent",
    databaseUrl: database.url,
    environment: { REMIT_METRICS_ADDRESS: "127.0.0.1:0" },
  });
});
afterAll(async () => {
  await server.stop();
  await database[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

async function ask(authorization?: string): Promise<Response> {
  return fetch(`${server.url}/metrics`, authorization === undefined ? {} : { headers: { authorization } });
}

test.each([
  ["nothing", undefined],
  ["a wrong token", `Bearer remit_metrics_${"A".repeat(43)}`],
  ["no token at all", "Bearer"],
  ["a wrong machine key", "Machine x"],
])("[OBS-03] /metrics is not told to whoever shows %s", async (_name, authorization) => {
  const response = await ask(authorization);
  expect(response.status).toBe(401);
  expect(await response.text()).not.toContain("remit_build_info");
});

test("[OBS-03] /metrics tells what this server sees and what the ledger holds", async () => {
  const token = await readFile(join(folder, "data", "metrics.token"), "utf8");
  await expect
    .poll(async () => valuesOf(await (await ask(`Bearer ${token}`)).text()).get('remit_ledger_entries_total{type="server-started"}'), {
      timeout: 30_000,
    })
    .toBe(1);
  const response = await ask(`Bearer ${token}`);
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  const values = valuesOf(await response.text());
  expect(Object.fromEntries([...values].filter(([name]) => name.startsWith("remit_metrics_source_up")))).toEqual({
    'remit_metrics_source_up{source="ledger"}': 1,
    'remit_metrics_source_up{source="state"}': 1,
    'remit_metrics_source_up{source="server"}': 1,
    'remit_metrics_source_up{source="http"}': 1,
  });
  expect(values.get("remit_sequencer_leading")).toBe(1);
  expect(values.get("remit_ledger_uncounted_entries")).toBe(0);
  expect(values.get("remit_servers_alive")).toBe(1);
  expect(values.get("remit_ledger_merge_delay_seconds_count")).toBe(values.get("remit_ledger_size_entries"));
  expect(values.get('remit_http_request_duration_seconds_count{method="GET",route="/metrics",status="4xx"}')).toBe(4);
  expect(values.get("process_start_time_seconds")).toBeGreaterThan(0);
});
