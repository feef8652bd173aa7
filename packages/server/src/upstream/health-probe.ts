import type { SupervisedUpstream } from "./supervised-upstream.ts";
import type { OfferedTool } from "./upstreams.ts";

/** The last time that an upstream was asked what it offers, only to see whether it answers. */
export type ProbeResult = { at: string; durationMs: number; error: string | null };

export type HealthProbe = { resultOf(upstream: string): ProbeResult | null; stop(): void };

/**
 * Asks every upstream that is connected what it offers, now and then. One that hangs looks connected otherwise; and one that changes its
 * tools without a word would be noticed only when it connects again.
 */
export function startHealthProbe(options: {
  everyMs: number;
  now: () => Date;
  upstreams: () => Iterable<[name: string, SupervisedUpstream]>;
  onOffered: (upstream: string, tools: readonly OfferedTool[]) => void;
}): HealthProbe {
  const results = new Map<string, ProbeResult>();
  const running = new Set<string>();
  let stopped = false;

  async function look(name: string, upstream: SupervisedUpstream): Promise<void> {
    const begun = performance.now();
    const at = options.now().toISOString();
    let error: string | null = null;
    try {
      const tools = await upstream.offered();
      if (!stopped) options.onOffered(name, tools);
    } catch (failure) {
      error = failure instanceof Error ? failure.message : String(failure);
    }
    results.set(name, { at, durationMs: Math.round(performance.now() - begun), error });
  }

  const timer = setInterval(() => {
    const present = new Map(options.upstreams());
    for (const name of results.keys()) if (!present.has(name)) results.delete(name);
    for (const [name, upstream] of present) {
      // What is not connected is seen to already; what has not answered yet is not asked twice.
      if (running.has(name) || upstream.health().state !== "ready") continue;
      running.add(name);
      void look(name, upstream).finally(() => running.delete(name));
    }
  }, options.everyMs);
  timer.unref();

  return {
    resultOf: (upstream) => results.get(upstream) ?? null,
    stop() {
      stopped = true;
      clearInterval(timer);
    },
  };
}
