import { type ActionOutcome, type Caller, type ErrorCode, type Id, operationNamed } from "@remit/contract";
import { type Standing, redactValue } from "@remit/core";
import type { RegistrySource } from "../registry/registry-source.ts";
import { type ActionFacts, type AttemptEnd, attemptEnded, spanOf } from "../telemetry/semconv.ts";
import { formatTraceparent } from "../telemetry/traceparent.ts";
import { type Span, type SpanOptions, type Tracing, startShaped } from "../telemetry/tracing.ts";
import type { NormalArguments } from "./normalise.ts";

/** The span of an action's attempt is named after the action, so that what happens days later can still hang below it. */
export function actionSpanId(actionId: Id<"action">): string {
  return actionId.slice(-16);
}

export function actionTraceparent({ id, traceId }: { id: Id<"action">; traceId: string | null }): string | null {
  return traceId === null ? null : formatTraceparent({ traceId, spanId: actionSpanId(id), flags: "01" });
}

export type TracedAction = { id: Id<"action">; tool: string; caller: Caller };

type TraceDeps = { tracing: Pick<Tracing, "start" | "exporting" | "semconv">; registry: RegistrySource };

/** What spans tell of an action: a name that an agent has made up is not told. */
export function factsOf(registry: RegistrySource, { id, tool, caller }: TracedAction): ActionFacts {
  const operation = operationNamed(tool.slice(tool.indexOf("__") + 2));
  return {
    actionId: id,
    tool: isRegistered(registry, tool) ? tool : null,
    method: operation?.method ?? "tools/call",
    agent: caller.agent,
    version: caller.version,
    environment: caller.environment,
    runId: caller.run?.id ?? null,
  };
}

/** A registry that cannot be confirmed just now says nothing. */
function isRegistered(registry: RegistrySource, tool: string): boolean {
  try {
    return registry.current().tools.has(tool);
  } catch {
    return false;
  }
}

/** One attempt: a call as it came, or (`approvalId`) the execution of what people have granted, below the call that asked for it. */
export function traceAttempt(
  { tracing, registry }: TraceDeps,
  action: TracedAction,
  how: { parent: string | null; approvalId?: Id<"approval"> },
): Span {
  const { parent, approvalId } = how;
  const options: SpanOptions = { service: action.caller.run?.serviceName ?? null, parent };
  if (approvalId === undefined) options.spanId = actionSpanId(action.id);
  return startShaped(
    tracing,
    () =>
      spanOf(tracing.semconv, {
        of: "attempt",
        byProtocol: approvalId === undefined,
        ...(approvalId === undefined ? {} : { approvalId }),
        ...factsOf(registry, action),
      }),
    options,
  );
}

/** Ends an attempt's span. What a caller was told of a refusal is an error to him as well. */
export function endAttempt({ tracing }: TraceDeps, span: Span, end: AttemptEnd, outcome: ActionOutcome | null): void {
  if (!tracing.exporting) return;
  const code: ErrorCode | null = outcome !== null && "code" in outcome ? outcome.code : null;
  const isToolError = outcome?.type === "failed" && outcome.result?.isError === true;
  span.set(attemptEnded(tracing.semconv, { end, code, isToolError }));
  span.end(code ?? undefined);
}

/** The judging of an attempt, until it is committed what may happen. */
export function traceDecision({ tracing, registry }: TraceDeps, action: TracedAction, parent: string | null): Span | null {
  if (!tracing.exporting) return null;
  const { name, ...shape } = spanOf(tracing.semconv, { of: "decision", policy: action.caller.policy, ...factsOf(registry, action) });
  return tracing.start(name, { service: action.caller.run?.serviceName ?? null, parent, ...shape });
}

/** The call to the upstream: what it hangs its own spans below. */
export function traceUpstreamCall(
  { tracing, registry }: TraceDeps,
  action: TracedAction,
  called: { upstream: string; name: string; transport: "pipe" | "tcp" | null },
  parent: string | null,
): Span | null {
  if (!tracing.exporting) return null;
  const { name, ...shape } = spanOf(tracing.semconv, { of: "upstream-call", ...factsOf(registry, action), ...called });
  return tracing.start(name, { service: action.caller.run?.serviceName ?? null, parent, ...shape });
}

/** The time that people took over a request, told once it is over: nobody keeps a span open for days. */
export function traceApprovalWait(
  { tracing, registry }: TraceDeps,
  action: TracedAction & { traceId: string | null; requestedAt: Date },
  { outcome, at }: { outcome: "granted" | "rejected" | "expired" | "cancelled"; at: Date },
): void {
  if (!tracing.exporting) return;
  const { name, kind, attributes } = spanOf(tracing.semconv, { of: "approval-wait", outcome, ...factsOf(registry, action) });
  // Where people have said no, or nothing, that is how the action ended.
  const ended = outcome === "granted" ? {} : attemptEnded(tracing.semconv, { end: outcome, code: null, isToolError: false });
  tracing
    .start(name, {
      service: action.caller.run?.serviceName ?? null,
      parent: actionTraceparent(action),
      startedAt: action.requestedAt,
      kind,
      attributes: { ...attributes, ...ended },
    })
    .end(undefined, at);
}

/** That an action was given up as lost: the span of its attempt went with its server. */
export function traceLost({ tracing, registry }: TraceDeps, action: TracedAction & { traceId: string | null }): void {
  if (!tracing.exporting) return;
  const { name, kind, attributes } = spanOf(tracing.semconv, { of: "attempt", byProtocol: false, ...factsOf(registry, action) });
  const ended = attemptEnded(tracing.semconv, { end: "unknown", code: "outcome-unknown", isToolError: false });
  tracing
    .start(name, {
      service: action.caller.run?.serviceName ?? null,
      parent: actionTraceparent(action),
      kind,
      attributes: { ...attributes, ...ended },
    })
    .end("outcome-unknown");
}

/** What of the arguments their tool declares to be loggable; nothing of any other. */
export function loggableArguments(stand: Standing | null, input: NormalArguments | null): Record<string, string> {
  const allow = stand?.tool.spec.loggable;
  if (allow === undefined || input === null) return {};
  return { "gen_ai.tool.call.arguments": JSON.stringify(redactValue(input.value, { allow })) };
}
