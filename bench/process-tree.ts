import { readdirSync, readFileSync } from "node:fs";

/** Processor time that processes have used since they began. Milliseconds. */
export type CpuTime = { own: number; postgres: number };

/** `USER_HZ`: the kernel gives times to programs in hundredths of a second on every architecture that Node runs on. */
const msPerTick = 10;

type Stat = { pid: number; parent: number; name: string; ticks: number };

/**
 * Processor time of a process and everything below it, PostgreSQL apart: user and system time, and that of children already gone.
 * @param extra further roots, for what has been started outside of the tree
 */
export function cpuTimeOfTree(root: number, extra: readonly number[] = []): CpuTime {
  const all = readStats();
  const children = Map.groupBy(all, (stat) => stat.parent);
  const byId = new Map(all.map((stat) => [stat.pid, stat]));
  const time: CpuTime = { own: 0, postgres: 0 };
  const seen = new Set<number>();
  const open = [root, ...extra].map((pid) => byId.get(pid)).filter((stat) => stat !== undefined);
  for (let stat = open.pop(); stat !== undefined; stat = open.pop()) {
    if (seen.has(stat.pid)) continue;
    seen.add(stat.pid);
    time[stat.name.startsWith("postgres") ? "postgres" : "own"] += stat.ticks * msPerTick;
    open.push(...(children.get(stat.pid) ?? []));
  }
  return time;
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
