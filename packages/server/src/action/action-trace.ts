import type { Caller, Id } from "@remit/contract";
import { formatTraceparent } from "../telemetry/traceparent.ts";
import type { Tracing } from "../telemetry/tracing.ts";

/** The span of an action's attempt is named after the action, so that what happens days later can still hang below it. */
export function actionSpanId(actionId: Id<"action">): string {
  return actionId.slice(-16);
}

export function actionTraceparent({ id, traceId }: { id: Id<"action">; traceId: string | null }): string | null {
  return traceId === null ? null : formatTraceparent({ traceId, spanId: actionSpanId(id), flags: "01" });
}

/** The time that people took over a request, told once it is over: nobody keeps a span open for days. */
export function traceApprovalWait(
  tracing: Pick<Tracing, "start">,
  action: { id: Id<"action">; tool: string; caller: Caller; traceId: string | null; requestedAt: Date },
  { outcome, at }: { outcome: "granted" | "rejected" | "expired" | "cancelled"; at: Date },
): void {
  tracing
    .start(`approval wait ${action.tool}`, {
      service: action.caller.run?.serviceName ?? null,
      parent: actionTraceparent(action),
      startedAt: action.requestedAt,
      attributes: { "remit.action.id": action.id, "remit.run.id": action.caller.run?.id ?? "", "remit.approval.outcome": outcome },
    })
    .end(undefined, at);
}
