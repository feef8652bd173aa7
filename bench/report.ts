import { readFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import type { CpuPerCall, Measured } from "./measure.ts";
import type { Memory } from "./process-tree.ts";
import { quantile } from "./statistics.ts";
import { tableOf } from "./table.ts";

/** Milliseconds for one call: of the target's own processes, of its PostgreSQL, and of both. Medians of the rounds. */
export type CpuRow = { together: number; min: number; max: number; own: number; postgres: number; callsPerSecond: number };

export type Row = {
  target: string;
  /** By how many calls were made at a time. */
  cpuMs: Record<number, CpuRow>;
  /** Medians of the rounds, and the lowest and the highest p99 of a round. Null: not measured for this row. */
  latencyMs: { p50: number; p99: number; minP99: number; maxP99: number; samples: number } | null;
  memoryMb: Memory;
  errors: number;
};

export type Report = {
  at: string;
  machine: Record<string, string | number>;
  versions: Record<string, string>;
  settings: object;
  /** The share of the processors' time that the machine's host gave to others, by group of rows. Null: not measured. */
  stolen: Record<string, number | null>;
  /** Side by side: what lies between a client and the same tool. */
  rows: Row[];
  /** The same, one call at a time now and then. */
  latency: Row[];
  /** One Remit, a stage left out in each row. */
  stages: Row[];
  /** One Remit, with more to know in each row. */
  scale: Row[];
};

export function rowOf(target: string, { cpu, latencies, errors }: Measured, memoryMb: Memory): Row {
  return {
    target,
    memoryMb,
    cpuMs: Object.fromEntries([...cpu].map(([concurrency, rounds]) => [concurrency, cpuRowOf(rounds)])),
    latencyMs: latencies.length === 0 ? null : latencyRowOf(latencies),
    errors,
  };
}

function latencyRowOf(rounds: readonly number[][]): Row["latencyMs"] {
  const p99s = rounds.map((latencies) => quantile(latencies, 0.99));
  return {
    p50: median(rounds.map((latencies) => quantile(latencies, 0.5))),
    p99: median(p99s),
    minP99: round(Math.min(...p99s)),
    maxP99: round(Math.max(...p99s)),
    samples: rounds.flat().length,
  };
}

function cpuRowOf(rounds: readonly CpuPerCall[]): CpuRow {
  const together = rounds.map(({ own, postgres }) => own + postgres);
  return {
    together: median(together),
    min: round(Math.min(...together)),
    max: round(Math.max(...together)),
    own: median(rounds.map(({ own }) => own)),
    postgres: median(rounds.map(({ postgres }) => postgres)),
    callsPerSecond: Math.round(median(rounds.map(({ callsPerSecond }) => callsPerSecond))),
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
  return [
    words(report.machine),
    words(report.versions),
    `taken by the host meanwhile: ${words(percentages(report.stolen))}`,
    ...loadsOf(report.rows).flatMap((load) => ["", cpuTable(report.rows, load)]),
    ...(report.rows.length === 0 ? [] : ["", memoryTable(report.rows)]),
    ...(report.latency.length === 0 ? [] : ["", latencyTable(report.latency)]),
    ...loadsOf(report.stages).flatMap((load) => ["", stageTable(report.stages, load)]),
    ...loadsOf(report.scale).flatMap((load) => ["", scaleTable(report.scale, load)]),
  ].join("\n");
}

function percentages(shares: Report["stolen"]): Record<string, string> {
  return Object.fromEntries(
    Object.entries(shares).flatMap(([group, share]) => (share === null ? [] : [[group, `${(share * 100).toFixed(1)} %`]])),
  );
}

function loadsOf(rows: readonly Row[]): number[] {
  return Object.keys(rows[0]?.cpuMs ?? {}).map(Number);
}

const nothing: CpuRow = { together: NaN, min: NaN, max: NaN, own: NaN, postgres: NaN, callsPerSecond: NaN };

function cpuTable(rows: readonly Row[], load: number): string {
  const of = (row: Row | undefined): CpuRow => row?.cpuMs[load] ?? nothing;
  const compared = peers.map((name) => rows.find(({ target }) => target === name));
  return tableOf(
    [`CPU ms/call, ${load} at a time`, "all", "(min–max)", "own", "PostgreSQL", "calls/s", ...peers.map((name) => `× ${name}`)],
    rows.map((row) => {
      const { together, min, max, own, postgres, callsPerSecond } = of(row);
      const ratios = compared.map((peer) => ratio(together, of(peer).together));
      const range = `${fixed(min)}–${fixed(max)}`;
      return [row.target, fixed(together), range, fixed(own), postgres === 0 ? "" : fixed(postgres), String(callsPerSecond), ...ratios];
    }),
  );
}

function stageTable(rows: readonly Row[], load: number): string {
  const [whole] = rows.map((row) => row.cpuMs[load] ?? nothing);
  return tableOf(
    [`CPU ms/call, ${load} at a time`, "all", "own", "PostgreSQL", "the stage costs"],
    rows.map((row, index) => {
      const { together, own, postgres } = row.cpuMs[load] ?? nothing;
      return [row.target, fixed(together), fixed(own), fixed(postgres), index === 0 ? "" : fixed((whole?.together ?? NaN) - together)];
    }),
  );
}

function scaleTable(rows: readonly Row[], load: number): string {
  return tableOf(
    [`CPU ms/call, ${load} at a time`, "all", "own", "PostgreSQL"],
    rows.map((row) => {
      const { together, own, postgres } = row.cpuMs[load] ?? nothing;
      return [row.target, fixed(together), fixed(own), fixed(postgres)];
    }),
  );
}

/** Added over the echo server itself, by stdio (as it stands behind the relays) and by HTTP (as clients speak to them). */
function latencyTable(rows: readonly Row[]): string {
  const bases = ["direct, stdio", "direct, HTTP"].map((name) => rows.find(({ target }) => target === name)?.latencyMs);
  const added = (value = NaN, before = NaN): string => fixed(value - before);
  return tableOf(
    ["latency ms, one at a time", "p50", "p99", "(min–max)", "p50 added", "p99 added", "p50 over HTTP", "p99 over HTTP", "errors"],
    rows.map(({ target, latencyMs: latency, errors }) => [
      target,
      fixed(latency?.p50 ?? NaN),
      fixed(latency?.p99 ?? NaN),
      `${fixed(latency?.minP99 ?? NaN)}–${fixed(latency?.maxP99 ?? NaN)}`,
      ...bases.flatMap((base) => [added(latency?.p50, base?.p50), added(latency?.p99, base?.p99)]),
      String(errors),
    ]),
  );
}

function memoryTable(rows: readonly Row[]): string {
  return tableOf(
    ["memory MB", "peak", "PostgreSQL", "errors"],
    rows.map(({ target, memoryMb: { own, postgres }, errors }) => [
      target,
      String(own),
      postgres === 0 ? "" : String(postgres),
      String(errors),
    ]),
  );
}

function ratio(value: number, base: number): string {
  return (value / base).toFixed(1);
}

function fixed(value: number): string {
  return value.toFixed(2);
}

function median(values: readonly number[]): number {
  return round(quantile(values, 0.5));
}

function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
