/** When an event is sent again. By the example of the Standard Webhooks specification: at once, then ten times in about three days. */
export type RetrySchedule = {
  /** Milliseconds from the failure of attempt n (from 1) to the next; null: it is given up. */
  delayAfter(attempt: number): number | null;
  /** How long one that takes nothing at all is left alone after so many failures in a row. */
  probeDelay(failures: number): number;
};

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
export const standardDelays: readonly number[] = [
  5 * second,
  5 * minute,
  30 * minute,
  2 * hour,
  5 * hour,
  10 * hour,
  14 * hour,
  20 * hour,
  24 * hour,
];
const maxProbeDelay = 5 * minute;

/** @param random in [0, 1): spreads what failed together */
export function createRetrySchedule(random: () => number, delays: readonly number[] = standardDelays): RetrySchedule {
  const spread = (ms: number): number => Math.round(ms * (0.8 + 0.4 * random()));
  return {
    delayAfter(attempt) {
      const delay = delays[attempt - 1];
      return delay === undefined ? null : spread(delay);
    },
    probeDelay: (failures) => spread(Math.min(maxProbeDelay, (delays[0] ?? second) * 2 ** Math.min(failures, 20))),
  };
}
