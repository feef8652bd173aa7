import { setTimeout as sleep } from "node:timers/promises";

export type DrainLimits = {
  /** How long it goes on answering after it has said that it goes: until whoever spreads requests has noticed. Milliseconds. */
  noticeMs: number;
  /** How long what is executing may take to end by itself, before it is cancelled. Milliseconds. */
  limitMs: number;
};

/** What has to be told that the server goes, in this order. */
export type DrainedParts = {
  readiness: { leave(): void; refuse(): void };
  instance: { drain(): Promise<void> };
  /** Begins nothing more by itself. */
  executor: { stop(): Promise<void> };
  inFlight: { size(): number };
  onError: (error: unknown) => void;
};

/** Lets a server come to its end without cutting anything off: first it says that it goes, then it takes no more, then it finishes what it has. */
export async function drain(parts: DrainedParts, { noticeMs, limitMs }: DrainLimits): Promise<void> {
  parts.readiness.leave();
  await parts.instance.drain().catch(parts.onError);
  await sleep(noticeMs);
  parts.readiness.refuse();
  // Not waited for: it ends with what it executes, and that has a limit.
  parts.executor.stop().catch(parts.onError);
  for (const until = performance.now() + limitMs; parts.inFlight.size() > 0 && performance.now() < until;) await sleep(20);
}
