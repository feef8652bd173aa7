import {
  type ActionOutcome,
  type Caller,
  type Decision,
  type Detector,
  type ErrorCode,
  type Id,
  type JsonObject,
  type NewEntry,
  type Payload,
  RemitError,
  type ToolResult,
  type UpstreamFault,
} from "@remit/contract";
import { type Standing, detectors, redactText, withoutValues } from "@remit/core";
import { isUnsent, mayHaveHappened } from "../upstream/upstream-fault.ts";
import { callFailed, toolFailed } from "../telemetry/semconv.ts";
import type { InjectedFault, UpstreamCall, UpstreamTask } from "../upstream/upstreams.ts";
import type { Committed } from "../ledger/ledger.ts";
import { RpcError } from "../mcp/rpc-error.ts";
import type { Continuation, Relay } from "../upstream/relay.ts";
import type { ActionDeps } from "./action-deps.ts";
import type { Attempt } from "./action-path.ts";
import { attribution, payloadOf, subjectsOfCall } from "./action-entries.ts";
import type { End } from "./action.journal.ts";
import type { AttemptMade } from "./attempts.ts";
import { attemptsData, makeAttempts } from "./attempts.ts";
import { checkResult } from "./check-result.ts";
import type { Walked } from "./action.pipeline.ts";
import { traceUpstreamCall } from "./action-trace.ts";
import type { NormalArguments } from "./normalise.ts";
import { plainText } from "./plain-text.ts";
import { type Recorded, recordLater } from "./record-later.ts";

export type Execution = {
  /** Only a committed intent has one. */
  intent: Committed<"intent">;
  /** When it was about to be committed, by the clock that does not jump. */
  beganAtMs: number;
  actionId: Id<"action">;
  caller: Caller;
  stand: Standing;
  input: NormalArguments;
  decision: Extract<Decision, { type: "allow" }>;
  traceId: string | null;
  traceparent: string | null;
  signal: AbortSignal;
  continuation: Continuation | null;
  relay: Relay | undefined;
  /** In place of the upstream. */
  perform: Attempt["perform"] | undefined;
  onTask: Attempt["onTask"] | undefined;
};

type Ending = {
  state: End["state"];
  code: ErrorCode | null;
  reason: string | null;
  result: ToolResult | null;
  amountSpent: boolean;
  fault?: UpstreamFault;
  /** What of the reason are the upstream's own words. */
  said?: string;
};

/** What is recorded of how it was executed. */
type Done = { attempts: AttemptMade[]; injected: InjectedFault[]; task: UpstreamTask | null; durationMs: number };

/** Executes, checks the result, and commits the outcome. Whatever happens in between, the action ends in exactly one way. */
export async function execute(deps: ActionDeps, execution: Execution): Promise<Walked> {
  const { actionId } = execution;
  const startedAt = deps.now();
  const done: Done = { attempts: [], injected: [], task: null, durationMs: 0 };
  const ending = await run(deps, execution, done);
  deps.crash("after-execution");
  done.durationMs = deps.now().getTime() - startedAt.getTime();
  let { state, code, reason, result } = ending;
  const end = endOf(deps, execution, ending, done);
  let recorded: Recorded;
  try {
    recorded = (await deps.journal.finish(end)) ? "recorded" : "lost";
  } catch (error) {
    recorded = await recordLater(deps, end, error, (why) => {
      ({ state, code, reason, result } = withheld(why));
      return endOf(deps, execution, withheld(why), done);
    });
  }
  deps.crash("after-outcome");
  if (done.task !== null) await deps.upstreamTasks?.end(actionId);
  if (recorded === "lost")
    return unknown(actionId, "The action had been given up as lost before it ended; look at its entry in the ledger.");
  if (recorded === "later")
    return unknown(actionId, "It ran, but what came of it cannot be recorded just now; look at it before you repeat it.");
  if (state === "succeeded" && result !== null) return { end: state, outcome: { type: "succeeded", actionId, result } };
  const { fault } = ending;
  const outcome = failed(actionId, code ?? "internal", reason ?? "It failed.", result);
  return { end: state, outcome: { ...outcome, ...(fault === undefined ? {} : { fault }) } };
}

function unknown(actionId: Id<"action">, why: string): Walked {
  return { end: "unrecorded", outcome: failed(actionId, "outcome-unknown", why) };
}

const everyDetector: ReadonlySet<Detector> = new Set(detectors);

function endOf(deps: ActionDeps, execution: Execution, ending: Ending, done: Done): End {
  const { state, code, amountSpent, result } = ending;
  const reason = ending.reason === null ? null : inClear(ending.reason, ending.said, execution.input.value);
  const entry = outcomeEntry(deps, execution, ending, reason, done);
  const also = state === "succeeded" ? notifications(deps, execution) : [];
  return { actionId: execution.actionId, state, code, reason, entry, also, resultEntry: result === null ? null : entry.id, amountSpent };
}

/**
 * What an upstream says repeats what it was given, and may be about anybody: the caller is told, and it is sealed beside the entry, which
 * cannot be erased and says the rest.
 */
function inClear(reason: string, said: string | undefined, input: JsonObject): string {
  const ours = said === undefined ? reason : withoutValues(reason, [said]);
  return redactText(withoutValues(ours, input), everyDetector);
}

function withheld(why: string): Ending {
  const reason = plainText(`It ran, and its result is withheld, for it has no form that can be recorded: ${why}.`);
  return { state: "failed", code: "result-invalid", reason, result: null, amountSpent: true };
}

/** Why it cannot be said whom a result is about, or null. What cannot be erased for somebody must not be recorded. */
function unnamedSubject(stand: Standing, input: JsonObject, result: ToolResult): string | null {
  try {
    subjectsOfCall(stand, input, result);
    return null;
  } catch (error) {
    if (RemitError.is(error)) return error.message;
    throw error;
  }
}

async function run(deps: ActionDeps, execution: Execution, done: Done): Promise<Ending> {
  const { actionId, caller, stand, input, decision } = execution;
  const { spec, pin, qualifiedName } = stand.tool;
  const subject = {
    environment: caller.environment,
    agent: caller.agent,
    tool: qualifiedName,
    upstream: spec.upstream,
    run: caller.run?.id ?? null,
    effect: spec.effect,
  };
  const flight = deps.inFlight.enter(actionId, subject, execution.signal);
  try {
    // This server may have stood still since the intent: it looks first whether it still knows, and still may.
    const unfit = isFit(deps, execution) ? null : await whyUnfit(deps, execution);
    if (unfit !== null) return { state: "failed", ...unfit, result: null, amountSpent: false };
    // A halt may have been engaged between the decision and this moment.
    flight.apply(deps.halts.current());
    const timeoutMs = spec.timeoutMs ?? deps.registry.current().upstreams.get(spec.upstream)?.timeoutMs ?? 30_000;
    const { continuation, perform } = execution;
    const relay = quietWhereRedacted(execution);
    const send = (timeLeftMs: number, traceparent: string | null): Promise<ToolResult> => {
      const sent: UpstreamCall = {
        upstream: spec.upstream,
        tool: spec.name,
        arguments: input.value,
        timeoutMs: timeLeftMs,
        signal: flight.signal,
        by: {
          agent: caller.agent,
          run: caller.run?.id ?? null,
          environment: caller.environment,
          person: caller.accountable,
          actionId,
        },
        effect: spec.effect,
        onInjected: (injected) => void done.injected.push(injected),
        mayBeTask: execution.onTask !== undefined,
        onTask: (task) => {
          const isNew = done.task === null;
          done.task = task;
          const known = deps.upstreamTasks?.says(actionId, task) ?? Promise.resolve();
          if (isNew) void known.then(() => execution.onTask?.(actionId));
        },
      };
      if (traceparent !== null) sent.traceparent = traceparent;
      if (relay !== undefined) sent.relay = relay;
      if (continuation !== null) sent.continuation = continuation;
      return deps.upstreams.call(sent);
    };
    const call = (timeLeftMs: number): Promise<ToolResult> => {
      if (perform !== undefined) return perform(input.value, flight.signal);
      if (!deps.tracing.exporting) return send(timeLeftMs, execution.traceparent);
      return tracedCall(deps, execution, (traceparent) => send(timeLeftMs, traceparent));
    };
    const stopped = flight.stop();
    if (stopped !== null) return { ...stopped, reason: `Nothing was sent. ${stopped.why}`, result: null, amountSpent: false };
    const isIdempotent = spec.idempotent && perform === undefined;
    flight.begin();
    const pending = makeAttempts({ isIdempotent, timeoutMs, signal: flight.signal, call });
    deps.crash("while-executing");
    const { made, ending } = await pending;
    done.attempts = made;
    if (ending.type === "error") throw ending.error;
    const checked = checkResult(deps.normaliser, pin, decision.obligations, ending.result);
    const unnamed = unnamedSubject(stand, input.value, checked.result);
    if (unnamed !== null) return withheld(unnamed);
    // A tool that reports an error, or asks first, says that it did not do it; a result that is merely malformed may stand for something done.
    const amountSpent =
      (checked.problem?.code !== "upstream-error" || mayHaveHappened(ending.result)) && checked.result.inputRequired === undefined;
    if (checked.problem !== null) return { state: "failed", ...checked.problem, result: checked.result, amountSpent };
    return { state: "succeeded", code: null, reason: null, result: checked.result, amountSpent };
  } catch (error) {
    const stop = flight.stop();
    if (stop !== null) return { ...stop, reason: `${stop.why} It may or may not have happened.`, result: null, amountSpent: true };
    const code = RemitError.is(error) ? error.code : "upstream-error";
    const reason = plainText(error instanceof Error ? error.message : String(error));
    const cause = error instanceof RpcError ? error : error instanceof Error ? error.cause : null;
    const said = code === "upstream-error" && cause instanceof Error ? { said: plainText(cause.message) } : {};
    const failure: Ending = { state: "failed", code, reason, result: null, amountSpent: !isUnsent(code), ...said };
    return cause instanceof RpcError ? { ...failure, fault: faultOf(cause) } : failure;
  } finally {
    flight.leave();
  }
}

/** One try at the upstream. It hangs its own spans below this one. */
async function tracedCall(
  deps: ActionDeps,
  { actionId, caller, stand, traceparent }: Execution,
  send: (traceparent: string | null) => Promise<ToolResult>,
): Promise<ToolResult> {
  const { spec, qualifiedName } = stand.tool;
  const protocol = deps.registry.current().upstreams.get(spec.upstream)?.transport.type;
  const transport = protocol === "stdio" ? "pipe" : protocol === "http" ? "tcp" : null;
  const called = { upstream: spec.upstream, name: spec.name, transport } as const;
  const span = traceUpstreamCall(deps, { id: actionId, tool: qualifiedName, caller }, called, traceparent);
  if (span === null) return await send(traceparent);
  try {
    const result = await send(span.traceparent);
    if (result.isError === true) span.set(toolFailed(deps.tracing.semconv));
    span.end(result.isError === true ? "upstream-error" : undefined);
    return result;
  } catch (error) {
    const code = RemitError.is(error) ? error.code : "upstream-error";
    const cause = error instanceof RpcError ? error : error instanceof Error ? error.cause : null;
    span.set(callFailed(deps.tracing.semconv, code, cause instanceof RpcError ? cause.code : null));
    span.end(code);
    throw error;
  }
}

/** Others wait longer than this before they give an action up. */
const longestPauseMs = 2_000;

/** Whether it is plain, without asking anybody, that it still knows and still may. */
function isFit({ control }: ActionDeps, { beganAtMs }: Execution): boolean {
  if (performance.now() - beganAtMs >= longestPauseMs) return false;
  try {
    control.epoch();
    return true;
  } catch {
    return false;
  }
}

/** Why nothing may be sent after all: its copy of the control state is not fresh, or others have given the action up as lost. */
async function whyUnfit(deps: ActionDeps, { actionId, beganAtMs }: Execution): Promise<{ code: ErrorCode; reason: string } | null> {
  try {
    await deps.control.confirmed();
    if (performance.now() - beganAtMs < longestPauseMs) return null;
    if ((await deps.journal.read(actionId))?.state === "executing") return null;
  } catch (error) {
    if (!RemitError.is(error)) throw error;
    return { code: error.code, reason: `Nothing was sent: ${error.message}` };
  }
  return { code: "outcome-unknown", reason: "Nothing was sent: the action had been given up as lost before it began." };
}

/** What policy redacts of a result must not come by another way: then only how far it is is told, in numbers. */
function quietWhereRedacted({ relay, decision }: Execution): Relay | undefined {
  if (relay === undefined || !decision.obligations.some(({ type }) => type === "redact")) return relay;
  return {
    ...relay,
    onNotification(method, { message: _message, ...params }) {
      if (method === "notifications/progress") relay.onNotification(method, params);
    },
  };
}

function faultOf({ code, message, data }: RpcError): UpstreamFault {
  return { code, message, ...(data === undefined ? {} : { data }) };
}

function outcomeEntry(deps: ActionDeps, execution: Execution, ending: Ending, reason: string | null, done: Done): NewEntry {
  const { attempts, injected, task, durationMs } = done;
  const obligations = execution.decision.obligations.map(({ type, policy }) => ({ type, policy }));
  const data: JsonObject = { code: ending.code, durationMs, obligations, reason, tool: execution.stand.tool.qualifiedName };
  Object.assign(data, attemptsData(attempts));
  // The upstream's own name of what it did by itself, for whoever has to look there.
  if (task !== null) data["task"] = { upstream: task.upstream, id: plainText(task.id) };
  // So that what was done on purpose is never taken for what went wrong by itself.
  if (injected.length > 0) data["injected"] = injected.map((each) => ({ ...each }));
  const payload = ending.result === null ? failurePayload(execution, ending, reason) : resultPayload(execution, ending.result);
  const payloads = payload === null ? [] : [payload];
  const at = deps.now().toISOString();
  return { ...attribution(execution), id: deps.newId("entry"), type: `action-${ending.state}`, at, data, payloads };
}

function resultPayload(execution: Execution, result: ToolResult): Payload {
  return payloadOf("result", result, execution, subjectsOfCall(execution.stand, execution.input.value, result));
}

/** The whole of the reason, where the entry says less. */
function failurePayload(execution: Execution, { reason: whole }: Ending, reason: string | null): Payload | null {
  if (whole === null || whole === reason) return null;
  return payloadOf("failure", { reason: whole }, execution, subjectsOfCall(execution.stand, execution.input.value, null));
}

/** Telling people is recorded; who is told what is an obligation of the decision. */
function notifications(deps: ActionDeps, execution: Execution): NewEntry[] {
  const told: NewEntry[] = [];
  for (const obligation of execution.decision.obligations) {
    if (obligation.type !== "notify") continue;
    const data: JsonObject = { to: obligation.to, policy: obligation.policy, about: execution.stand.tool.qualifiedName };
    told.push({ id: deps.newId("entry"), type: "notification-recorded", at: deps.now().toISOString(), ...attribution(execution), data });
  }
  return told;
}

function failed(
  actionId: Id<"action">,
  code: ErrorCode,
  reason: string,
  result: ToolResult | null = null,
): Extract<ActionOutcome, { type: "failed" }> {
  return { type: "failed", actionId, code, reason, ...(result === null ? {} : { result }) };
}
