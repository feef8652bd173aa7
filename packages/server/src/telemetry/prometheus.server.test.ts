import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { openObservedServer } from "./observed-server.testing.ts";

const rules = fileURLToPath(new URL("../../../../deploy/prometheus/", import.meta.url));
const hasPromtool = isInstalled("promtool");
const hasPrometheus = isInstalled("prometheus");
const patience = { timeout: 120_000, interval: 500 };

function isInstalled(program: string): boolean {
  const found = spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;
  if (!found) console.log(`${program} is not installed, so what needs it is not tested: apt-get install prometheus`);
  return found;
}

test.skipIf(!hasPromtool)(
  "[OBS-03][CST-01] the alert rules are valid, and fire when they should and not otherwise (needs promtool)",
  () => {
    for (const args of [
      ["check", "rules", "alerts.yaml"],
      ["test", "rules", "alerts.test.yaml"],
    ]) {
      const { status, stdout, stderr } = spawnSync("promtool", args, { cwd: rules, encoding: "utf8", timeout: 60_000 });
      expect(`${stdout}${stderr}`).toContain("SUCCESS");
      expect(status).toBe(0);
    }
  },
  280_000,
);

test.skipIf(!hasPromtool)(
  "[OBS-03] what /metrics tells is well-formed, by names and units as well (needs promtool)",
  async () => {
    await using world = await openObservedServer();
    await world.call("echo", { text: "one" });
    const response = await fetch(`${world.url}/metrics`, { headers: { authorization: world.machine } });
    const { status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], {
      input: await response.text(),
      encoding: "utf8",
      timeout: 60_000,
    });
    // What the runtime's own names are is not ours to choose.
    expect(`${stdout}${stderr}`.split("\n").filter((line) => line.startsWith("remit_"))).toEqual([]);
    expect([0, 3]).toContain(status);
  },
  280_000,
);

test.skipIf(!hasPrometheus)(
  "[OBS-03] a real Prometheus scrapes a real server with the scraper's token, and counts what the ledger holds (needs prometheus)",
  async () => {
    await using world = await openObservedServer();
    const folder = await mkdtemp(join(tmpdir(), "remit-prometheus-"));
    const token = join(folder, "token");
    await writeFile(token, await world.metricsToken());
    await chmod(token, 0o600);
    const config = {
      global: { scrape_interval: "500ms", evaluation_interval: "500ms" },
      rule_files: [join(rules, "alerts.yaml")],
      scrape_configs: [
        {
          job_name: "remit",
          authorization: { type: "Bearer", credentials_file: token },
          static_configs: [{ targets: [new URL(world.url).host] }],
        },
      ],
    };
    await writeFile(join(folder, "prometheus.yml"), JSON.stringify(config));
    const port = await freePort();
    const prometheus = spawn(
      "prometheus",
      [
        `--config.file=${join(folder, "prometheus.yml")}`,
        `--storage.tsdb.path=${join(folder, "data")}`,
        `--web.listen-address=127.0.0.1:${port}`,
        "--log.level=error",
      ],
      { stdio: ["ignore", "ignore", "inherit"] },
    );
    const exited = once(prometheus, "exit");
    try {
      const query = async (expression: string): Promise<number | null> => {
        const response = await fetch(`http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(expression)}`).catch(() => null);
        if (response?.ok !== true) return null;
        const { data } = (await response.json()) as { data: { result: { value: [number, string] }[] } };
        return data.result[0] === undefined ? null : Number(data.result[0].value[1]);
      };
      await expect.poll(() => query('up{job="remit"}'), patience).toBe(1);
      for (let index = 0; index < 20; index += 1) await world.call("echo", { text: String(index) });
      for (let index = 0; index < 5; index += 1) await world.call(`made-up-${index}`);
      await expect.poll(() => query('sum(remit_actions_total{outcome="succeeded"})'), patience).toBe(20);
      await expect.poll(() => query('sum(remit_actions_total{outcome="denied"})'), patience).toBe(5);
      expect(await query("sum(remit_sequencer_leading)")).toBe(1);
      expect(await query('count(ALERTS{alertstate="firing",severity="page"}) or vector(0)')).toBe(0);
      const ada = await world.person("ada");
      await world.ask("/v1/halts", { mode: "safe-mode", scope: { type: "everything" }, reason: "a test" }, ada);
      await expect.poll(() => query('count(ALERTS{alertname="RemitHaltInForce",mode="safe-mode"})'), patience).toBe(1);
    } finally {
      prometheus.kill("SIGTERM");
      await exited;
      await rm(folder, { recursive: true, force: true });
    }
  },
  280_000,
);

function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((found) => {
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => found(port));
    });
  });
}
