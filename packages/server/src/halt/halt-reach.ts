import type { HaltReach } from "@remit/contract";
import type { ConfirmedHalt } from "./halt.store.ts";

/** How far one halt has reached. A server that was started since has it from its start, and says nothing of how soon it held. */
export function reachOf(live: readonly { instance: string; name: string }[], confirmed: readonly ConfirmedHalt[]): HaltReach {
  const byInstance = new Map(confirmed.map((each) => [each.instance, each]));
  const missing = live.filter(({ instance }) => !byInstance.has(instance)).map(({ name }) => name);
  const measured = confirmed.filter(({ isLater }) => !isLater);
  const starts = measured.map(({ lastStartMs }) => Math.max(0, Math.round(lastStartMs ?? 0)));
  return {
    servers: live.length,
    confirmed: live.length - missing.length,
    missing,
    confirmedMs:
      missing.length > 0 || measured.length === 0 ? null : Math.round(Math.max(...measured.map(({ confirmedMs }) => confirmedMs))),
    lastStartMs: starts.length === 0 ? null : Math.max(...starts),
    cancelled: measured.reduce((sum, { cancelled }) => sum + cancelled, 0),
  };
}
