import type { CpuTime } from "./process-tree.ts";
import type { Target } from "./targets/target.ts";

/** Processor time for one call, of one round, in milliseconds; and how many were answered in a second of it. */
export type CpuPerCall = CpuTime & { callsPerSecond: number };

/** `cpu`: the rounds, by how many calls were made at a time. */
export type Measured = { cpu: Map<number, CpuPerCall[]>; latencies: number[]; errors: number };

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

/** Rounds over all targets in turn: what else happens on the machine falls on all of them alike. */
export async function measureCpu(
  targets: readonly Target[],
  measured: Map<Target, Measured>,
  options: { rounds: number; calls: number; concurrencies: readonly number[]; settleMs: number },
): Promise<void> {
  const turns = Array.from({ length: options.rounds }, () => options.concurrencies).flat();
  for (const concurrency of turns) {
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

/** One call every so often, each to the next target: nobody's calls queue behind anybody's, and all see the same minute. */
export async function measureLatency(
  targets: readonly Target[],
  measured: Map<Target, Measured>,
  options: { callsPerTarget: number; everyMs: number },
): Promise<void> {
  for (let index = 0; index < options.callsPerTarget; index += 1) {
    for (const target of targets) {
      const result = measured.get(target);
      if (result === undefined) continue;
      const begun = performance.now();
      try {
        await target.call(nextText());
        result.latencies.push(performance.now() - begun);
      } catch {
        result.errors += 1;
      }
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, options.everyMs - (performance.now() - begun))));
    }
  }
}

export async function warmUp(targets: readonly Target[], calls: number, concurrency: number): Promise<void> {
  for (const target of targets) {
    const errors = await load(target, calls, concurrency);
    // A few may fail on a machine that is busy with something else: Remit refuses calls rather than decide on what may be old.
    if (errors > calls / 100) throw new Error(`${target.name}: ${errors} of ${calls} calls failed before anything was measured`);
  }
}
