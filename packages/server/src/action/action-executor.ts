import { type ActionRow, type End, lostReason } from "./action.journal.ts";
import type { ActionDeps } from "./action-deps.ts";
import { attribution } from "./action-entries.ts";
import { traceLost } from "./action-trace.ts";

/** Looks this often for grants that no hint told of: given while no server ran, or on another server. */
const pollEveryMs = 500;
const lookForLostEveryMs = 2_000;
const forgetWindowsEveryMs = 60 * 60 * 1_000;

export type ActionExecutor = { stop(): Promise<void> };

/**
 * Executes what people have granted, and ends what lost servers left behind as unknown. Any number of servers may run it:
 * a grant is used once and a lost action ended once, whoever comes first.
 */
export function startActionExecutor(
  deps: ActionDeps,
  options: { executeGranted: () => Promise<number>; onGranted: (listener: () => void) => void },
): ActionExecutor {
  const stopping = new AbortController();
  let wake = (): void => undefined;
  let asked = false;
  options.onGranted(() => {
    asked = true;
    wake();
  });

  const executing = new Set<Promise<void>>();

  async function execute(): Promise<void> {
    try {
      if ((await options.executeGranted()) === 0) return;
      // There may be more than one helping.
      asked = true;
      wake();
    } catch (error) {
      deps.logger.error({ err: error }, "granted actions could not be looked for; trying again");
    }
  }

  /** @returns when to do it again. */
  async function regularly(at: number, everyMs: number, work: () => Promise<unknown>): Promise<number> {
    if (performance.now() < at) return at;
    await work().catch((error: unknown) => deps.logger.error({ err: error }, "actions could not be tidied up; trying again"));
    return performance.now() + everyMs;
  }

  async function loop(): Promise<void> {
    let lookForLostAt = 0;
    let forgetWindowsAt = 0;
    while (!stopping.signal.aborted) {
      asked = false;
      lookForLostAt = await regularly(lookForLostAt, lookForLostEveryMs, () => endLost(deps));
      forgetWindowsAt = await regularly(forgetWindowsAt, forgetWindowsEveryMs, () => deps.journal.forgetWindows());
      // Not waited for: what is granted next must not wait until this has ended.
      const one = execute().finally(() => executing.delete(one));
      executing.add(one);
      if (asked) continue;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, pollEveryMs);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
        if (stopping.signal.aborted) wake();
      });
    }
  }

  const running = loop();
  return {
    async stop() {
      stopping.abort();
      wake();
      await running;
      await Promise.all(executing);
    },
  };
}

/** What a dead server had in flight: nobody knows whether it happened, so somebody is told. */
async function endLost(deps: ActionDeps): Promise<void> {
  const at = deps.now().toISOString();
  const tasks = (await deps.upstreamTasks?.all()) ?? new Map<ActionRow["id"], { upstream: string; id: string }>();
  const entries = (row: ActionRow): Pick<End, "entry" | "also"> => {
    const about = attribution({ actionId: row.id, caller: row.caller, traceId: row.traceId });
    const told = { to: [row.caller.accountable], about: row.tool, urgent: true, reason: lostReason };
    return {
      entry: {
        id: deps.newId("entry"),
        type: "action-unknown",
        at,
        ...about,
        actor: "service:remit",
        // An upstream that worked by itself goes on: here is where to look what came of it.
        data: { tool: row.tool, reason: lostReason, ...(tasks.has(row.id) ? { task: { ...tasks.get(row.id) } } : {}) },
      },
      also: [{ id: deps.newId("entry"), type: "notification-recorded", at, ...about, actor: "service:remit", data: told }],
    };
  };
  const lost = await deps.journal.endLost((id) => deps.inFlight.isHeld(id), entries);
  for (const { id } of lost) if (tasks.has(id)) await deps.upstreamTasks?.forget(id);
  for (const row of lost) {
    deps.logger.error({ actionId: row.id, tool: row.tool, accountable: row.caller.accountable }, "the outcome of an action is unknown");
    traceLost(deps, row);
  }
}
