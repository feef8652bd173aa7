/**
 * What a relay costs: processor time per call and latency, of every target in one interleaved run. `--json` prints the report as JSON.
 * Reads /proc, so it runs on Linux only.
 */
import { measureCpu, measureLatency, warmUp } from "./measure.ts";
import type { Measured } from "./measure.ts";
import { machine, rowOf, textOf, versions } from "./report.ts";
import type { Report } from "./report.ts";
import { startDirectHttp, startDirectStdio } from "./targets/direct.ts";
import { startMcpProxy } from "./targets/mcp-proxy.ts";
import { startRemit } from "./targets/remit.ts";
import type { Target } from "./targets/target.ts";

const settings = {
  warmUp: { calls: 1_000, concurrency: 4 },
  cpu: { rounds: 4, calls: 1_000, concurrencies: [4, 32], settleMs: 300 },
  latency: { callsPerTarget: 300, everyMs: 20 },
};

const starters: (() => Promise<Target | Target[]>)[] = [
  startDirectStdio,
  startDirectHttp,
  () => startMcpProxy("mcp-proxy", []),
  () => startMcpProxy("mcp-proxy, no event store", ["--no-eventStore"]),
  startRemit,
];

if (process.platform !== "linux") throw new Error("the bench reads /proc, which only Linux has");
const json = process.argv.includes("--json");
const say = (text: string) => process.stderr.write(`${text}\n`);

const targets: Target[] = [];
try {
  for (const start of starters) {
    for (const target of [await start()].flat()) {
      targets.push(target);
      say(`started ${target.name}`);
    }
  }
  const measured = new Map<Target, Measured>(targets.map((target) => [target, { cpu: new Map(), latencies: [], errors: 0 }]));
  say("warming up");
  await warmUp(targets, settings.warmUp.calls, settings.warmUp.concurrency);
  say("measuring processor time");
  await measureCpu(targets, measured, settings.cpu);
  say("measuring latency");
  await measureLatency(targets, measured, settings.latency);
  const report: Report = {
    at: new Date().toISOString(),
    machine: machine(),
    versions: Object.assign(versions(["mcp-proxy", "@modelcontextprotocol/server"]), ...targets.map((target) => target.versions)),
    settings,
    rows: [...measured].map(([target, result]) => rowOf(target.name, result)),
  };
  process.stdout.write(`${json ? JSON.stringify(report, null, 2) : textOf(report)}\n`);
} finally {
  await Promise.all(targets.map((target) => target.stop()));
}
