import { setTimeout as delay } from "node:timers/promises";
import { type ErrorCode, type JsonObject, RemitError, type ToolResult } from "@remit/contract";
import { backoffDelay } from "../upstream/backoff.ts";
import { isTransientFailure, isTransientResult } from "../upstream/upstream-fault.ts";

/** One time that a call was sent, or tried to be. */
export type AttemptMade = { atMs: number; durationMs: number; code: ErrorCode | "http-error" | null };

export type Attempts = {
  made: AttemptMade[];
  /** What was thrown by the last, or its result. */
  ending: { type: "result"; result: ToolResult } | { type: "error"; error: unknown };
};

const maxAttempts = 3;
const pause = { firstMs: 100, maxMs: 2_000, stableAfterMs: 0 };

/**
 * Calls, and calls again where the tool says that twice is no more than once and the failure is one that passes: after a growing,
 * random pause, and never past the deadline that the first had.
 */
export async function makeAttempts(options: {
  isIdempotent: boolean;
  timeoutMs: number;
  signal: AbortSignal;
  call: (timeoutMs: number) => Promise<ToolResult>;
}): Promise<Attempts> {
  const { signal } = options;
  const begun = performance.now();
  const made: AttemptMade[] = [];
  for (let attempt = 0; ; attempt += 1) {
    const atMs = performance.now() - begun;
    let ending: Attempts["ending"];
    let isTransient: boolean;
    try {
      const result = await options.call(Math.max(1, Math.ceil(options.timeoutMs - atMs)));
      isTransient = isTransientResult(result);
      ending = { type: "result", result };
    } catch (error) {
      isTransient = isTransientFailure(error);
      ending = { type: "error", error };
    }
    const now = performance.now() - begun;
    made.push({ atMs: Math.round(atMs), durationMs: Math.round(now - atMs), code: codeOf(ending, isTransient) });
    if (!isTransient || !options.isIdempotent || made.length >= maxAttempts || signal.aborted) return { made, ending };
    const waitMs = backoffDelay(pause, attempt, Math.random());
    // What could no longer be answered in time is not asked.
    if (now + waitMs >= options.timeoutMs) return { made, ending };
    await delay(waitMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return { made, ending };
  }
}

function codeOf(ending: Attempts["ending"], isTransient: boolean): AttemptMade["code"] {
  if (ending.type === "result") return isTransient ? "http-error" : null;
  return RemitError.is(ending.error) ? ending.error.code : "upstream-error";
}

/** How an entry says it; nothing where once was enough. */
export function attemptsData(made: readonly AttemptMade[]): JsonObject {
  return made.length <= 1 ? {} : { attempts: made.map((each) => ({ ...each })) };
}
