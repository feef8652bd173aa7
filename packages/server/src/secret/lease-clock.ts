import type { Database } from "../database/database.ts";
import type { Backend } from "./backend.ts";
import type { LeaseStore } from "./lease.store.ts";
import type { Undo } from "./leases.ts";
import type { SecretStore } from "./secret.store.ts";

export type LeaseClockDeps = {
  database: Database;
  leases: LeaseStore;
  secretStore: Pick<SecretStore, "destroyDue">;
  backends: Readonly<Record<Undo["type"], Pick<Backend, "undo">>>;
  /** Closes what this server still holds of leases that have ended: the end of a run is no change of control state. */
  lookAgain(): Promise<void>;
  /** Default: every second. */
  everyMs?: number;
  now: () => Date;
  onError: (error: unknown, leaseId: string | null) => void;
};

export type LeaseClock = {
  /** Everything that is due now: for tests, and at the end. */
  catchUp(): Promise<void>;
  stop(): Promise<void>;
};

const keptForMs = 30 * 86_400_000;
const forgetEveryMs = 3_600_000;
const atOnce = 50;

/**
 * Ends leases that have run out, takes back what was made for ended ones, and destroys secrets whose overlap has ended. Any number of
 * servers may run it; what a server that crashed has left behind is seen to by whichever comes first.
 */
export function startLeaseClock(deps: LeaseClockDeps): LeaseClock {
  const { database, leases, now } = deps;
  let forgetAt = 0;
  let running: Promise<void> = Promise.resolve();
  let stopped = false;

  async function undoOne(): Promise<boolean> {
    return await database.transaction(async (transaction) => {
      const at = now();
      const taken = await leases.takeUndo(transaction, at);
      if (taken === null) return false;
      const left: Undo[] = [];
      for (const undo of taken.undo) {
        try {
          await deps.backends[undo.type].undo?.(undo);
        } catch (error) {
          left.push(undo);
          deps.onError(error, taken.id);
        }
      }
      // 1 s, 2 s, 4 s, … one hour: what it was made at may be down for long, and it is never given up.
      const waitMs = Math.min(3_600_000, 1_000 * 2 ** Math.min(taken.attempts, 12));
      await leases.leaveUndo(transaction, taken.id, left, new Date(at.getTime() + waitMs));
      return true;
    });
  }

  async function catchUp(): Promise<void> {
    const at = now();
    await leases.endDue(database, at);
    await deps.lookAgain();
    for (let count = 0; count < atOnce && (await undoOne()); count += 1);
    await deps.secretStore.destroyDue(database, at);
    if (at.getTime() < forgetAt) return;
    forgetAt = at.getTime() + forgetEveryMs;
    await leases.forget(database, new Date(at.getTime() - keptForMs));
  }

  async function tick(before: Promise<void>): Promise<void> {
    await before;
    if (stopped) return;
    try {
      await catchUp();
    } catch (error) {
      deps.onError(error, null);
    }
  }

  const timer = setInterval(() => {
    running = tick(running);
  }, deps.everyMs ?? 1_000);
  timer.unref();

  return {
    catchUp,
    async stop() {
      stopped = true;
      clearInterval(timer);
      await running;
    },
  };
}
