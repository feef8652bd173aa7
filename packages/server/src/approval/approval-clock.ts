import { setTimeout as sleep } from "node:timers/promises";
import type { ApprovalService } from "./approval.service.ts";

export type ApprovalClock = { stop(): Promise<void> };

/**
 * Looks every second for requests that have expired or that somebody else should be asked about. It begins at once, so that what
 * came due while no server ran is caught up with; several servers may run it, each row is changed by one of them.
 */
export function startApprovalClock(options: {
  approvals: Pick<ApprovalService, "catchUp">;
  everyMs?: number;
  onError: (error: unknown, approvalId: string | null) => void;
}): ApprovalClock {
  const { approvals, everyMs = 1_000, onError } = options;
  const stopping = new AbortController();
  const running = (async () => {
    while (!stopping.signal.aborted) {
      let changed = 0;
      try {
        changed = await approvals.catchUp(onError);
      } catch (error) {
        onError(error, null);
      }
      // After a long absence there may be more than one helping.
      if (changed === 0) await sleep(everyMs, undefined, { signal: stopping.signal }).catch(() => {});
    }
  })();
  return {
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}
