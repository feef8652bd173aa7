import { readFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import type { Measured } from "./measure.ts";
import { quantile } from "./statistics.ts";

export type Row = {
  target: string;
  cpuMs: { median: number; min: number; max: number };
  postgresCpuMs: number;
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
    cpuMs: { median: round(quantile(cpu.own, 0.5)), min: round(Math.min(...cpu.own)), max: round(Math.max(...cpu.own)) },
    postgresCpuMs: round(quantile(cpu.postgres, 0.5)),
    latencyMs: { p50: round(quantile(latencies, 0.5)), p99: round(quantile(latencies, 0.99)), samples: latencies.length },
    errors,
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

export function tableOf(report: Report): string {
  const header = ["target", "CPU ms/call", "(min–max)", "PostgreSQL", "p50 ms", "p99 ms", "errors"];
  const lines = report.rows.map((row) => [
    row.target,
    row.cpuMs.median.toFixed(2),
    `${row.cpuMs.min.toFixed(2)}–${row.cpuMs.max.toFixed(2)}`,
    row.postgresCpuMs.toFixed(2),
    row.latencyMs.p50.toFixed(2),
    row.latencyMs.p99.toFixed(2),
    String(row.errors),
  ]);
  const widths = header.map((title, column) => Math.max(title.length, ...lines.map((line) => line[column]?.length ?? 0)));
  const write = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join(" | ")} |`;
  const rule = `|${widths.map((width, column) => (column === 0 ? "-".repeat(width + 2) : `${"-".repeat(width + 1)}:`)).join("|")}|`;
  const about = [
    Object.entries(report.machine)
      .map(([name, value]) => `${name} ${value}`)
      .join(" · "),
    Object.entries(report.versions)
      .map(([name, value]) => `${name} ${value}`)
      .join(" · "),
  ];
  return [...about, "", write(header), rule, ...lines.map(write)].join("\n");
}

function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
