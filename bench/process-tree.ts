import { readdirSync, readFileSync } from "node:fs";

/** Processor time that processes have used since they began. Milliseconds. */
export type CpuTime = { own: number; postgres: number };

/** `USER_HZ`: the kernel gives times to programs in hundredths of a second on every architecture that Node runs on. */
const msPerTick = 10;

type Stat = { pid: number; parent: number; name: string; ticks: number };

/** Megabytes. `own`: the sum of the processes' peaks. `postgres`: what it holds now, what its processes share counted once. */
export type Memory = { own: number; postgres: number };

/** Processor time of a process and everything below it, PostgreSQL apart: user and system time, and that of children already gone. */
export function cpuTimeOfTree(root: number): CpuTime {
  const time: CpuTime = { own: 0, postgres: 0 };
  for (const stat of treeOf(root)) time[kindOf(stat)] += stat.ticks * msPerTick;
  return time;
}

/**
 * Of all processors since the machine began, in ticks. `stolen`: there was something to run, and the host ran something else.
 * proc(5), `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal; what follows is in the first two already.
 */
export function processorTime(): { all: number; stolen: number } {
  const [first = ""] = readFileSync("/proc/stat", "utf8").split("\n");
  const ticks = first.trim().split(/\s+/).slice(1, 9).map(Number);
  return { all: ticks.reduce((sum, one) => sum + one, 0), stolen: ticks[7] ?? 0 };
}

export function memoryOfTree(root: number): Memory {
  const memory: Memory = { own: 0, postgres: 0 };
  for (const stat of treeOf(root)) {
    const kind = kindOf(stat);
    memory[kind] += kind === "own" ? kilobytes(stat.pid, "status", "VmHWM") : kilobytes(stat.pid, "smaps_rollup", "Pss");
  }
  return { own: Math.round(memory.own / 1024), postgres: Math.round(memory.postgres / 1024) };
}

function kindOf({ name }: Stat): "own" | "postgres" {
  return name.startsWith("postgres") ? "postgres" : "own";
}

function kilobytes(pid: number, file: string, field: string): number {
  try {
    return Number(new RegExp(`^${field}:\\s*(\\d+) kB`, "m").exec(readFileSync(`/proc/${pid}/${file}`, "utf8"))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

function treeOf(root: number): Stat[] {
  const all = readStats();
  const children = Map.groupBy(all, (stat) => stat.parent);
  const tree: Stat[] = [];
  const open = all.filter((stat) => stat.pid === root);
  for (let stat = open.pop(); stat !== undefined; stat = open.pop()) {
    tree.push(stat);
    open.push(...(children.get(stat.pid) ?? []));
  }
  return tree;
}

function readStats(): Stat[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(readStat)
    .filter((stat) => stat !== null);
}

function readStat(pid: string): Stat | null {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return null;
  }
  // The name stands in parentheses and may itself contain them and spaces; what follows the last one is fixed (proc(5)).
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const ticks = [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0);
  return { pid: Number(pid), parent: Number(fields[1]), name: text.slice(text.indexOf("(") + 1, text.lastIndexOf(")")), ticks };
}
