import type { ClaimedItem, ItemView, RunView } from "@remit/contract";
import type { StoredItem } from "./queue.store.ts";
import type { StoredRun } from "./run.store.ts";

export function viewRun(run: StoredRun, actions: Record<string, number>): RunView {
  const { workflow, queue, subject, maxActions, deadline } = run.binding;
  return {
    id: run.id,
    state: run.state,
    workflow,
    agent: run.agent,
    accountable: run.accountable,
    environment: run.environment,
    policy: run.policy,
    queue,
    subject,
    limits: { actions: maxActions, deadline: new Date(deadline).toISOString() },
    startedAt: new Date(run.startedAt).toISOString(),
    endedAt: run.endedAt === null ? null : new Date(run.endedAt).toISOString(),
    reason: run.reason,
    actions,
  };
}

export function viewItem(item: StoredItem): ItemView {
  return {
    id: item.id,
    queue: item.queue,
    state: item.state,
    subject: item.subject,
    key: item.key,
    attempts: item.attempts,
    runId: item.runId,
    enqueuedBy: item.enqueuedBy,
    enqueuedAt: item.enqueuedAt.toISOString(),
    endedAt: item.endedAt?.toISOString() ?? null,
  };
}

export function claimedItem({ id, queue, subject, payload, attempts }: StoredItem): ClaimedItem {
  return { id, queue, subject, payload, attempt: attempts };
}
