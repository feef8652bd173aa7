import type { CpuTime } from "./process-tree.ts";
import type { Target } from "./targets/target.ts";

/** Processor time for one call, of one round, in milliseconds; and how many were answered in a second of it. */
export type CpuPerCall = CpuTime & { callsPerSecond: number };

/** `cpu`: the rounds, by how many calls were made at a time. `latencies`: the calls of each round, in milliseconds. */
export type Measured = { cpu: Map<number, CpuPerCall[]>; latencies: number[][]; errors: number };

/** No two calls say the same: what a target remembers of one must not flatter it in the next. */
let said = 0;
function nextText(): string {
  said += 1;
  return `hello ${said}`;
}

/** Calls back to back, so many at a time, and counts what the whole process tree has used. */
export async function load(target: Target, calls: number, concurrency: number): Promise<number> {
  let left = calls;
  let errors = 0;
  async function worker(): Promise<void> {
    while (left > 0) {
      left -= 1;
      await target.call(nextText()).catch(() => {
        errors += 1;
      });
    }
  }
  await Promise.all(Array.from({ length: concurrency }, worker));
  return errors;
}

/** A round over all targets in turn: what else happens on the machine falls on all of them alike. */
export async function measureCpu(
  targets: readonly Target[],
  measured: Map<Target, Measured>,
  options: { calls: number; concurrencies: readonly number[]; settleMs: number },
): Promise<void> {
  for (const concurrency of options.concurrencies) {
    for (const target of targets) {
      const result = measured.get(target);
      if (result === undefined) continue;
      const before = target.cpuTime();
      const begun = performance.now();
      result.errors += await load(target, options.calls, concurrency);
      const callsPerSecond = (options.calls * 1_000) / (performance.now() - begun);
      // What a target does after it has answered (batches, checkpoints) belongs to the calls too.
      await new Promise((resolve) => setTimeout(resolve, options.settleMs));
      const after = target.cpuTime();
      const rounds = result.cpu.get(concurrency) ?? [];
      result.cpu.set(concurrency, rounds);
      const perCall = (kind: keyof CpuTime): number => (after[kind] - before[kind]) / options.calls;
      rounds.push({ own: perCall("own"), postgres: perCall("postgres"), callsPerSecond });
    }
  }
}

/**
 * A round of one call every so often, each to another target, in an order of chance: nobody's calls queue behind anybody's, all see the
 * same minute, and what a target does by the clock or after a call does not always fall on the same neighbour.
 */
export async function measureLatency(
  targets: readonly Target[],
  measured: Map<Target, Measured>,
  options: { callsPerTarget: number; everyMs: number },
): Promise<void> {
  for (const { latencies } of measured.values()) latencies.push([]);
  for (let index = 0; index < options.callsPerTarget; index += 1) {
    for (const target of shuffled(targets)) {
      const result = measured.get(target);
      if (result === undefined) continue;
      const untilNextMs = options.everyMs * (0.75 + Math.random() / 2);
      const begun = performance.now();
      try {
        await target.call(nextText());
        result.latencies.at(-1)?.push(performance.now() - begun);
      } catch {
        result.errors += 1;
      }
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, untilNextMs - (performance.now() - begun))));
    }
  }
}

function shuffled<Item>(items: readonly Item[]): Item[] {
  const drawn = items.map((item) => ({ item, at: Math.random() }));
  return drawn.sort((left, right) => left.at - right.at).map(({ item }) => item);
}

export async function warmUp(targets: readonly Target[], calls: number, concurrency: number): Promise<void> {
  for (const target of targets) {
    const errors = await load(target, calls, concurrency);
    // A few may fail on a machine that is busy with something else: Remit refuses calls rather than decide on what may be old.
    if (errors > calls / 100) throw new Error(`${target.name}: ${errors} of ${calls} calls failed before anything was measured`);
  }
}
