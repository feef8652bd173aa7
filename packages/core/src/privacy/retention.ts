import type { RetentionSpec } from "@remit/contract";
import { durationSeconds } from "../calendar/duration.ts";
import { type KeptKey, parseKeptKey, scheduleFor } from "./payload-class.ts";

export type DueKey = KeptKey & { name: string; schedule: string };

const dayMs = 86_400_000;

/** Which of these keys have been kept as long as their schedule says. A day's key is due once its last moment has been kept so long. */
export function dueKeys(retention: RetentionSpec | undefined, names: readonly string[], now: Date): DueKey[] {
  return names.flatMap((name) => {
    const key = parseKeptKey(name);
    if (key === null) return [];
    const schedule = scheduleFor(retention, key);
    if (schedule === null) return [];
    const endOfDay = Date.parse(`${key.day}T00:00:00.000Z`) + dayMs;
    return endOfDay + durationSeconds(schedule) * 1_000 <= now.getTime() ? [{ ...key, name, schedule }] : [];
  });
}

/** Rows that ended before this moment have been kept long enough; null: they are kept. */
export function rowsDueBefore(retention: RetentionSpec | undefined, now: Date): Date | null {
  if (retention?.rows === undefined) return null;
  // An equal call within a day returns the recorded outcome, for which its row is needed.
  return new Date(now.getTime() - Math.max(durationSeconds(retention.rows) * 1_000, dayMs));
}
