import type { Sent } from "./webhook-sender.ts";
import type { RetrySchedule } from "./retry-schedule.ts";
import type { AttemptRow, Settlement, WaitingDelivery } from "./webhook.store.ts";

/** So many failures in a row, whichever events they were of, and an endpoint counts as down: it is tried with one event at a time. */
export const downAfter = 5;

const sendingAtOnce = 4;

export type LaneResult = Pick<Settlement, "attempts" | "taken" | "left" | "failures"> & { gone: boolean };

/**
 * Sends lanes, some at a time and each in its order. What fails stops its own lane and no other; what follows in that lane is left behind
 * it. Once the endpoint is down nothing more is begun.
 */
export async function sendLanes(
  lanes: readonly (readonly WaitingDelivery[])[],
  failuresBefore: number,
  deps: { send: (delivery: WaitingDelivery) => Promise<Sent>; schedule: RetrySchedule; now: () => Date },
): Promise<LaneResult> {
  const { now } = deps;
  const attempts: AttemptRow[] = [];
  const taken: number[] = [];
  const left: Settlement["left"][number][] = [];
  let failures = failuresBefore;
  let gone = false;
  let begun = 0;

  /** One that is known to be down is tried once in any case: that is how it is found to be up again. */
  const mayBegin = (): boolean => !gone && (failures < downAfter || begun === 0);

  function leave(delivery: WaitingDelivery): void {
    const at = now();
    left.push({ ...delivery, state: "waiting", dueAt: at, lastAt: at, status: null, reason: null });
  }

  /** Whether the lane goes on. */
  async function sendOne(delivery: WaitingDelivery): Promise<boolean> {
    begun += 1;
    const at = now();
    const attempt = delivery.attempts + 1;
    const { seq, entryId, type } = delivery;
    const { delivered, status, reason, durationMs, retryAfterMs, ...sent } = await deps.send(delivery);
    attempts.push({ entryId, sequence: seq, type, at, attempt, delivered, status, reason, durationMs });
    if (delivered) {
      failures = 0;
      taken.push(seq);
      return true;
    }
    failures += 1;
    gone ||= sent.gone;
    const delay = deps.schedule.delayAfter(attempt);
    const lastAt = now();
    const dueAt = new Date(lastAt.getTime() + Math.max(delay ?? 0, retryAfterMs ?? 0));
    // Whoever takes nothing more at all gives up no single event.
    const state = delay === null && !sent.gone ? "dead" : "waiting";
    left.push({ ...delivery, attempts: attempt, state, dueAt, lastAt, status, reason });
    return false;
  }

  const queue = [...lanes];
  async function work(): Promise<void> {
    for (let lane = queue.shift(); lane !== undefined; lane = queue.shift()) {
      let open = true;
      for (const delivery of lane) {
        if (open && mayBegin()) open = await sendOne(delivery);
        else leave(delivery);
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(sendingAtOnce, lanes.length) }, work));
  return { attempts, taken, left, failures, gone };
}
