import { readFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import type { CpuPerCall, Measured } from "./measure.ts";
import { quantile } from "./statistics.ts";
import { tableOf } from "./table.ts";

/** Milliseconds for one call: of the target's own processes, of its PostgreSQL, and of both. Medians of the rounds. */
export type CpuRow = { together: number; min: number; max: number; own: number; postgres: number };

export type Row = {
  target: string;
  /** By how many calls were made at a time. */
  cpuMs: Record<number, CpuRow>;
  latencyMs: { p50: number; p99: number; samples: number };
  errors: number;
};

export type Report = {
  at: string;
  machine: Record<string, string | number>;
  versions: Record<string, string>;
  settings: object;
  rows: Row[];
};

export function rowOf(target: string, { cpu, latencies, errors }: Measured): Row {
  return {
    target,
    cpuMs: Object.fromEntries([...cpu].map(([concurrency, rounds]) => [concurrency, cpuRowOf(rounds)])),
    latencyMs: { p50: round(quantile(latencies, 0.5)), p99: round(quantile(latencies, 0.99)), samples: latencies.length },
    errors,
  };
}

function cpuRowOf(rounds: readonly CpuPerCall[]): CpuRow {
  const together = rounds.map(({ own, postgres }) => own + postgres);
  const median = (values: readonly number[]): number => round(quantile(values, 0.5));
  return {
    together: median(together),
    min: round(Math.min(...together)),
    max: round(Math.max(...together)),
    own: median(rounds.map(({ own }) => own)),
    postgres: median(rounds.map(({ postgres }) => postgres)),
  };
}

export function machine(): Report["machine"] {
  const [first] = cpus();
  return {
    cpu: first?.model.trim() ?? "unknown",
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    linux: release(),
    load1: round(loadavg()[0] ?? 0),
  };
}

export function versions(names: readonly string[]): Report["versions"] {
  const found: Record<string, string> = { node: process.versions.node };
  for (const name of names) {
    // Not every package exports its package.json; every one lies in the folder of its name.
    const manifest = new URL(`../node_modules/${name}/package.json`, import.meta.url);
    found[name] = (JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version;
  }
  return found;
}

/** What others are compared with. */
const peers = ["direct, HTTP", "mcp-proxy"];

export function textOf(report: Report): string {
  const words = (values: object): string =>
    Object.entries(values)
      .map(([name, value]) => `${name} ${value}`)
      .join(" · ");
  const loads = Object.keys(report.rows[0]?.cpuMs ?? {}).map(Number);
  return [
    words(report.machine),
    words(report.versions),
    ...loads.flatMap((load) => ["", cpuTable(report, load)]),
    "",
    latencyTable(report),
  ].join("\n");
}

function cpuTable({ rows }: Report, load: number): string {
  const of = (row: Row | undefined): CpuRow => row?.cpuMs[load] ?? { together: NaN, min: NaN, max: NaN, own: NaN, postgres: NaN };
  const compared = peers.map((name) => rows.find(({ target }) => target === name));
  return tableOf(
    [`CPU ms/call, ${load} at a time`, "all", "(min–max)", "own", "PostgreSQL", ...peers.map((name) => `× ${name}`)],
    rows.map((row) => {
      const { together, min, max, own, postgres } = of(row);
      const ratios = compared.map((peer) => ratio(together, of(peer).together));
      return [row.target, fixed(together), `${fixed(min)}–${fixed(max)}`, fixed(own), postgres === 0 ? "" : fixed(postgres), ...ratios];
    }),
  );
}

function latencyTable({ rows }: Report): string {
  const compared = peers.map((name) => rows.find(({ target }) => target === name)?.latencyMs);
  return tableOf(
    ["latency ms, one at a time", "p50", "p99", "errors", ...peers.map((name) => `p50 × ${name}`)],
    rows.map(({ target, latencyMs: { p50, p99 }, errors }) => [
      target,
      fixed(p50),
      fixed(p99),
      String(errors),
      ...compared.map((peer) => ratio(p50, peer?.p50 ?? NaN)),
    ]),
  );
}

function ratio(value: number, base: number): string {
  return (value / base).toFixed(1);
}

function fixed(value: number): string {
  return value.toFixed(2);
}

function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
