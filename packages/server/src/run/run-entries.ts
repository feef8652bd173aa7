import type { Containment, EntryType, JsonObject, NewEntry } from "@remit/contract";
import type { EndState } from "@remit/core";
import type { StoredItem } from "./queue.store.ts";
import type { StoredRun } from "./run.store.ts";

/** The clock, where nobody ended it. */
export const runsActor = "service:runs";

const itemEntryTypes = { completed: "item-completed", ready: "item-returned", "set-aside": "item-set-aside" } as const;

/** What is recorded of runs and their work. Each function makes the entries of one change, to be committed with it. */
export function createRunEntries(newEntryId: () => NewEntry["id"]) {
  const entry = (type: EntryType, run: StoredRun, actor: string, at: number, data: JsonObject): NewEntry => ({
    id: newEntryId(),
    type,
    at: new Date(at).toISOString(),
    actor,
    runId: run.id,
    ...(run.traceId !== null && { traceId: run.traceId }),
    data,
  });
  return {
    started(run: StoredRun, item: StoredItem | null): NewEntry[] {
      const { workflow, queue, maxActions, deadline, requireApproval, approvers, serviceName } = run.binding;
      const started = entry("run-started", run, run.startedBy, run.startedAt, {
        workflow,
        agent: run.agent,
        version: run.version,
        accountable: run.accountable,
        environment: run.environment,
        policy: run.policy,
        queue,
        itemId: item?.id ?? null,
        limits: { actions: maxActions, deadline: new Date(deadline).toISOString() },
        requireApproval,
        approvers,
        serviceName,
      });
      if (item === null) return [started];
      return [
        started,
        entry("item-claimed", run, run.startedBy, run.startedAt, { itemId: item.id, queue: item.queue, attempt: item.attempts }),
      ];
    },

    ended(
      run: StoredRun,
      end: { state: EndState; reason: string; actor: string; at: number; containment?: Containment },
      item: { item: StoredItem; after: keyof typeof itemEntryTypes } | null,
    ): NewEntry[] {
      const ended = entry("run-ended", run, end.actor, end.at, {
        state: end.state,
        reason: end.reason,
        // Told by whoever followed the run: as good as that party's word.
        ...(end.containment !== undefined && { containment: end.containment }),
      });
      if (item === null) return [ended];
      const { id, queue, attempts, maxAttempts } = item.item;
      return [
        ended,
        entry(itemEntryTypes[item.after], run, end.actor, end.at, { itemId: id, queue, attempts, maxAttempts, ended: end.state }),
      ];
    },
  };
}
