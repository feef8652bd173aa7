import { RemitError } from "@remit/contract";
import type { Database } from "../database/database.ts";
import type { Notices } from "../database/notices.ts";
import type { ControlState } from "./control-state.ts";

/** A copy that was not confirmed for this long may miss a halt, so nothing happens on it. */
const staleAfterMs = 2_000;

/** How often the copy is confirmed. Polling is the truth; a notice only makes it sooner. */
const pollEveryMs = 200;

/** A question that has no answer by then is asked again, on another connection: the one that it went by may be dead. */
const answerWithinMs = 1_500;

/** How long a caller waits for a stale copy to be confirmed: long enough for the change that is being loaded just now. */
const waitAtMostMs = 5_000;

export type RunningControlState = ControlState & {
  /** Since the copy was last confirmed; null: never yet. */
  ageMs(): number | null;
  /** Loads everything for the first time, then keeps confirming. */
  start(): Promise<void>;
  stop(): Promise<void>;
};

/**
 * Control state on one row of PostgreSQL.
 *
 * `monotonicMs` must not follow the wall clock: a clock that jumps back would make a stale copy look fresh.
 */
export function createControlState(options: {
  database: Database;
  /** Tells the other servers that something has changed; one notice for whatever changed since the last. */
  notices?: Pick<Notices, "announce">;
  monotonicMs: () => number;
  onError: (error: unknown) => void;
}): RunningControlState {
  const reloads: (() => Promise<void>)[] = [];
  const listeners: ((epoch: number) => Promise<void> | void)[] = [];
  let loaded: { epoch: number; confirmedAt: number } | null = null;
  let running: Promise<void> | null = null;
  let next: Promise<void> | null = null;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  /** The number that a change of ours has raised it to, or will have when it commits, of which the others have not been told. */
  let untold: number | null = null;

  async function confirm(): Promise<void> {
    // Taken before the question: what the answer says was true at this moment or later.
    const askedAt = options.monotonicMs();
    const question = { name: "control-epoch", text: "SELECT epoch FROM control_state", timeoutMs: answerWithinMs };
    const [row] = await options.database.query<{ epoch: string }>(question);
    if (row === undefined) throw new RemitError("control-state-stale", "the row of control_state is missing; restore the database");
    const epoch = Number(row.epoch);
    if (untold !== null && epoch >= untold) {
      untold = null;
      options.notices?.announce();
    }
    if (epoch !== loaded?.epoch) for (const reload of reloads) await reload();
    // A reload may have read something newer than `epoch`; that is safe, and the next confirmation catches up.
    loaded = { epoch, confirmedAt: askedAt };
    for (const listener of listeners) void Promise.resolve(listener(epoch)).catch(options.onError);
  }

  /** One confirmation at a time. One that is asked for meanwhile must see what happened since: it starts after it, shared by all who ask. */
  function refresh(): Promise<void> {
    if (running === null) {
      running = confirm().finally(() => {
        running = null;
      });
      return running;
    }
    next ??= running
      .catch(() => undefined)
      .then(() => {
        next = null;
        return refresh();
      });
    return next;
  }

  function poll(): void {
    timer = setTimeout(() => {
      refresh()
        .catch(options.onError)
        .finally(() => {
          if (!stopped) poll();
        });
    }, pollEveryMs);
  }

  function epoch(): number {
    if (loaded === null) throw new RemitError("control-state-stale", "the control state has not been loaded yet; try again in a moment");
    const age = options.monotonicMs() - loaded.confirmedAt;
    if (age > staleAfterMs) {
      throw new RemitError(
        "control-state-stale",
        `the control state was last confirmed ${Math.round(age)} ms ago, so a halt may have been missed; check the connection to the database`,
      );
    }
    return loaded.epoch;
  }

  return {
    async changed(transaction) {
      const raise = { name: "control-raise", text: "UPDATE control_state SET epoch = epoch + 1 RETURNING epoch" };
      const [row] = await transaction.query<{ epoch: string }>(raise);
      untold = Math.max(untold ?? 0, Number(row?.epoch));
    },
    onChange(reload) {
      reloads.push(reload);
    },
    onConfirmed(listener) {
      listeners.push(listener);
    },
    epoch,
    refresh,
    async confirmed() {
      try {
        epoch();
        return;
      } catch (error) {
        const late = Promise.withResolvers<never>();
        const waiting = setTimeout(() => late.reject(error), waitAtMostMs);
        try {
          await Promise.race([refresh().catch(() => Promise.reject(error)), late.promise]);
        } finally {
          clearTimeout(waiting);
        }
      }
      epoch();
    },
    ageMs: () => (loaded === null ? null : options.monotonicMs() - loaded.confirmedAt),
    async start() {
      await refresh();
      poll();
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await running?.catch(() => undefined);
    },
  };
}
