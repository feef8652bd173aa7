/** How long to wait before connecting again. Milliseconds. */
export type BackoffOptions = {
  firstMs: number;
  maxMs: number;
  /** A connection that lived this long starts the series anew. */
  stableAfterMs: number;
};

export const defaultBackoff: BackoffOptions = { firstMs: 250, maxMs: 30_000, stableAfterMs: 10_000 };

/**
 * Exponential, capped, with equal jitter: half of it fixed, half random, so that many servers that lost the same
 * upstream do not return in the same instant, and none returns at once.
 */
export function backoffDelay(options: BackoffOptions, attempt: number, random: number): number {
  const ceiling = Math.min(options.maxMs, options.firstMs * 2 ** Math.min(attempt, 30));
  return ceiling / 2 + (ceiling / 2) * random;
}
