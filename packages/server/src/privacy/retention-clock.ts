import { setTimeout as sleep } from "node:timers/promises";
import { keptKeyNames } from "@remit/core";
import type { Queryable } from "../database/database.ts";
import type { PayloadKeys } from "../ledger/payload-keys.ts";
import type { KeyRewriter } from "./key-rewriter.ts";
import type { Retention } from "./retention.service.ts";

export type RetentionClock = { stop(): Promise<void> };

const dayMs = 86_400_000;

/**
 * Ends what is due, soon after the start and then every so often; and makes the keys of today and tomorrow beforehand, so that no action
 * makes them, and none waits at midnight for another that does.
 */
export function startRetentionClock(options: {
  database: Queryable;
  payloadKeys: Pick<PayloadKeys, "forSealing">;
  retention: Pick<Retention, "catchUp">;
  rewriter: KeyRewriter;
  now: () => Date;
  everyMs?: number;
  onError: (error: unknown) => void;
}): RetentionClock {
  const { database, payloadKeys, now, everyMs = 10 * 60_000, onError } = options;
  const stopping = new AbortController();
  const running = (async () => {
    while (!stopping.signal.aborted) {
      try {
        const days = [now(), new Date(now().getTime() + dayMs)].map((time) => time.toISOString().slice(0, 10));
        await payloadKeys.forSealing(database, days.flatMap(keptKeyNames));
        await options.retention.catchUp();
        // What could not be rewritten at the time.
        await options.rewriter.rewrite();
      } catch (error) {
        onError(error);
      }
      await sleep(everyMs, undefined, { signal: stopping.signal }).catch(() => {});
    }
  })();
  return {
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}
