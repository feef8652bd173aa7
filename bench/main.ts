/**
 * What a relay costs: processor time per call, latency and memory, of every target in one interleaved run; what each of Remit's stages
 * costs; and how that grows. `--quick`: a short run. `--only=peers|latency|stages|scale|ledger`: one of them. `--json`: the report as JSON.
 * `soak [calls]`: whether memory stays flat.
 * Reads /proc, so it runs on Linux only.
 */
import { benchLedger, ledgerTable } from "./ledger.ts";
import { measureCpu, measureLatency, warmUp } from "./measure.ts";
import type { Measured } from "./measure.ts";
import { processorTime } from "./process-tree.ts";
import { machine, rowOf, textOf, versions } from "./report.ts";
import type { Report, Row } from "./report.ts";
import { stages } from "./servers/replaced-parts.ts";
import { soak } from "./soak.ts";
import { startDirectHttp, startDirectStdio, startSdkHandler } from "./targets/direct.ts";
import { startDurableRelay } from "./targets/durable-relay.ts";
import { startMcpProxy } from "./targets/mcp-proxy.ts";
import { startRemit } from "./targets/remit.ts";
import type { RemitAgent } from "./targets/remit.ts";
import { startSupergateway } from "./targets/supergateway.ts";
import type { Target } from "./targets/target.ts";
import { startTraceSink } from "./targets/trace-sink.ts";

if (process.platform !== "linux") throw new Error("the bench reads /proc, which only Linux has");
const words = process.argv.slice(2);
const json = words.includes("--json");
const quick = words.includes("--quick");
const only = words.find((word) => word.startsWith("--only="))?.slice("--only=".length);
const say = (text: string) => process.stderr.write(`${text}\n`);

// Warmed up until code is compiled: a server that has run for a while is what is of interest. Most of it is after 10,000 calls, but
// then a compiler is still at work beside one single call in nine.
const settings = quick
  ? {
      peers: { warmUp: 1_500, rounds: 2, calls: 300, concurrencies: [4, 32], settleMs: 150 },
      parts: { warmUp: 1_500, rounds: 2, calls: 300, concurrencies: [16], settleMs: 150 },
      latency: { warmUp: 1_500, rounds: 2, callsPerTarget: 50, everyMs: 20 },
    }
  : {
      peers: { warmUp: 30_000, rounds: 5, calls: 800, concurrencies: [1, 4, 16, 32, 256], settleMs: 300 },
      parts: { warmUp: 10_000, rounds: 4, calls: 500, concurrencies: [16], settleMs: 300 },
      latency: { warmUp: 30_000, rounds: 5, callsPerTarget: 200, everyMs: 20 },
    };

const whole: RemitAgent = { name: "governed", title: "Remit", cap: true };

async function compare(): Promise<Report> {
  const sink = await startTraceSink();
  const rows = await measured(
    "peers",
    settings.peers,
    [
      startDirectStdio,
      startDirectHttp,
      startSdkHandler,
      () => startMcpProxy("mcp-proxy", []),
      () => startMcpProxy("mcp-proxy, no event store", ["--no-eventStore"]),
      startSupergateway,
      startDurableRelay,
      () => startRemit({ agents: [whole, { name: "uncapped", title: "Remit, without a cap", cap: false }] }),
      () => startRemit({ agents: [{ ...whole, title: "Remit, exporting traces" }], environment: sink.environment }),
    ],
    (targets, found) => measureCpu(targets, found, settings.peers),
  );
  await sink.stop();
  // Fewer servers than above: each looks for work now and then, and whoever is called seldom would meet them all.
  const alone = await measured(
    "latency",
    settings.latency,
    [
      startDirectStdio,
      startDirectHttp,
      () => startMcpProxy("mcp-proxy", []),
      startSupergateway,
      startDurableRelay,
      () => startRemit({ agents: [whole] }),
    ],
    (targets, found) => measureLatency(targets, found, settings.latency),
  );
  const without = Object.entries(stages).map(([name, title]): RemitAgent => ({ name, title: `without ${title}`, cap: true }));
  const ownCap: RemitAgent = { name: "uncapped", title: "without a cap (the budget)", cap: false };
  const parts = await measured(
    "stages",
    settings.parts,
    [() => startRemit({ agents: [{ ...whole, title: "all stages" }, ownCap, ...without], replaced: true })],
    measureParts,
  );
  const sizes = [10, 100, 1_000].map((policies): RemitAgent => ({
    ...whole,
    name: `policies-${policies}`,
    title: `${policies} policies`,
    policies,
  }));
  const many: RemitAgent = { ...whole, name: "many", title: "5 policies, an upstream of 200 tools", tool: "many__echo" };
  const one: RemitAgent = { ...whole, title: "5 policies, an upstream of 1 tool" };
  const scale = await measured("scale", settings.parts, [() => startRemit({ agents: [one, many, ...sizes] })], measureParts);
  return {
    at: new Date().toISOString(),
    machine: machine(),
    versions: Object.assign(versions(["mcp-proxy", "supergateway", "@modelcontextprotocol/server"]), ...rows.versions, ...alone.versions),
    settings,
    stolen: { peers: rows.stolen, latency: alone.stolen, stages: parts.stolen, scale: scale.stolen },
    rows: rows.rows,
    latency: alone.rows,
    stages: parts.rows,
    scale: scale.rows,
  };
}

type Starter = () => Promise<Target | Target[]>;
type Round = (targets: readonly Target[], found: Map<Target, Measured>) => Promise<void>;

const measureParts: Round = (targets, found) => measureCpu(targets, found, settings.parts);

/** Starts targets, measures them in rounds, and stops them. `stolen`: the share of the processors' time that the machine's host kept meanwhile. */
async function measured(
  group: string,
  { warmUp: warmUpCalls, rounds }: { warmUp: number; rounds: number },
  starters: readonly Starter[],
  measureRound: Round,
): Promise<{ rows: Row[]; stolen: number | null; versions: Record<string, string>[] }> {
  if (only !== undefined && only !== group) return { rows: [], stolen: null, versions: [] };
  const targets: Target[] = [];
  try {
    for (const start of starters) {
      for (const target of [await start()].flat()) {
        targets.push(target);
        say(`started ${target.name}`);
      }
    }
    const found = new Map<Target, Measured>(targets.map((target) => [target, { cpu: new Map(), latencies: [], errors: 0 }]));
    say("warming up");
    await warmUp(targets, warmUpCalls, 16);
    const before = processorTime();
    for (let round = 1; round <= rounds; round += 1) {
      say(`${group}: round ${round} of ${rounds}`);
      await measureRound(targets, found);
    }
    const after = processorTime();
    return {
      stolen: (after.stolen - before.stolen) / (after.all - before.all),
      rows: [...found].map(([target, result]) => rowOf(target.name, result, target.memory())),
      versions: targets.map((target) => target.versions ?? {}),
    };
  } finally {
    await Promise.all(targets.map((target) => target.stop()));
  }
}

if (words[0] === "soak") {
  const calls = Number(words.find((word) => /^\d+$/.test(word)) ?? 200_000);
  const isFlat = await soak({ calls, json, say });
  process.exitCode = isFlat ? 0 : 1;
} else {
  const report = only === "ledger" ? null : await compare();
  const ledger = only === undefined || only === "ledger" ? await benchLedger(quick, say) : [];
  const text = [report === null ? "" : textOf(report), ledger.length === 0 ? "" : ledgerTable(ledger)].filter(Boolean).join("\n\n");
  process.stdout.write(`${json ? JSON.stringify({ ...report, ledger }, null, 2) : text}\n`);
}
