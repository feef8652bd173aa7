import { setTimeout as delay } from "node:timers/promises";
import {
  type ActionOutcome,
  type Caller,
  type Decision,
  type Digest,
  type ErrorCode,
  type Id,
  type JsonObject,
  RemitError,
} from "@remit/contract";
import {
  type Facts,
  type Registry,
  type Standing,
  drawFor,
  localTime,
  policyRequestOf,
  standing,
  tierDenial,
  withRunApproval,
  redactValue,
} from "@remit/core";
import type { AttemptEnd } from "../telemetry/semconv.ts";
import type { Continuation, Relay } from "../upstream/relay.ts";
import type { ActionPath, Attempt, ListedTool } from "./action-path.ts";
import type { Begin, Begun, Counted } from "./action.journal.ts";
import type { ActionDeps } from "./action-deps.ts";
import { actionEntries, subjectsOfCall, whyAsked } from "./action-entries.ts";
import { endAttempt, traceAttempt, traceDecision } from "./action-trace.ts";
import { attachedOutcome } from "./attached-outcome.ts";
import { createCountedKeys } from "./counted-facts.ts";
import { digestOf } from "./digest-of.ts";
import { execute } from "./execute.ts";
import { createGrantedActions } from "./granted-actions.ts";
import { type NormalArguments, amountOf } from "./normalise.ts";
import { plainText } from "./plain-text.ts";

/** One attempt, as the path sees it: by whom, with what, and with which approvals in hand. */
export type Question = {
  actionId: Id<"action">;
  caller: Caller;
  tool: string;
  arguments: unknown;
  idempotencyKey: string | null;
  traceId: string | null;
  grant: { approvalId: Id<"approval">; digest: string; teams: string[] } | null;
  /** What a retry brings along: part of what the action is. */
  continuation: Continuation | null;
  /** Set where it is plain beforehand that it is refused: then only that is recorded. */
  refusal: Refusal | null;
  /** The client's side, while it is there. */
  relay?: Relay | undefined;
  perform?: Attempt["perform"] | undefined;
  onTask?: Attempt["onTask"] | undefined;
};

/** What a caller is told, and how the attempt ended: more ends than words for callers. */
export type Walked = { outcome: ActionOutcome; end: AttemptEnd };

export type Refusal = { code: ErrorCode; reason: string };

/** Changes of control state in a row, while one attempt is judged, after which it is denied. */
const maxRounds = 8;

/** How many calls of one agent may wait for people at a time, where its registration does not say. */
const defaultPendingApprovals = 100;

/**
 * The path of an action: identify → normalise → halt → tier → decide → reserve → approve → intent → execute → check → outcome.
 *
 * Identifying is done before (`caller` is verified). Everything up to `decide` is in `judge`; reserving and committing the intent
 * are one transaction of the journal; executing takes the marker that only that transaction returns.
 */
export type RunningActionPath = ActionPath & {
  /** Executes what people have granted: re-decided now, each once. How many; those that run already are left alone. */
  executeGranted(): Promise<number>;
};

/** What of the arguments their tool declares to be loggable; nothing of any other. */
function loggableArguments(stand: Standing | null, input: NormalArguments | null): Record<string, string> {
  const allow = stand?.tool.spec.loggable;
  if (allow === undefined || input === null) return {};
  return { "gen_ai.tool.call.arguments": JSON.stringify(redactValue(input.value, { allow })) };
}

export function createActionPath(deps: ActionDeps): RunningActionPath {
  const countedKeys = createCountedKeys();

  /** Tier and policy. The one function that decides, for a call (`input`) as for a listing (`input` null). */
  function decide(
    registry: Registry,
    stand: Standing,
    caller: Caller,
    input: JsonObject | null,
    facts: Facts,
    approvals: string[],
  ): Decision {
    const request = policyRequestOf(stand, caller, input, facts, approvals);
    const { tool } = stand;
    const beyondTier = tierDenial(request);
    if (beyondTier !== null) return beyondTier;
    if (input === null) {
      return deps.policy.couldAllow(registry, caller.policy, request)
        ? { type: "allow", obligations: [], policies: [], shadow: [] }
        : { type: "deny", code: "no-grant", reason: "No policy could allow it.", policies: [], shadow: [] };
    }
    const decision = withCountableCaps(deps.policy.decide(registry, caller.policy, request), tool);
    return withRunApproval(decision, caller.run, { qualifiedName: tool.qualifiedName, name: tool.spec.name }, approvals);
  }

  function factsOf(registry: Registry, caller: Caller, counted: Counted): Facts {
    const { weekday, hour, date } = localTime(deps.now(), registry.organisation.timeZone);
    return { weekday, hour, date, ...counted, runActionsLimit: caller.run?.maxActions ?? 0 };
  }

  /** Everything that can be known before the lock. What is wrong becomes a decision to deny, so that every attempt is recorded. */
  function judge(question: Question, refusal: Refusal | null): { begin: Begin; stand: Standing | null; input: NormalArguments | null } {
    // A refusal holds under any control state.
    const epoch = refusal === null ? deps.control.epoch() : null;
    const registry = deps.registry.current();
    const { grant, tool, actionId } = question;
    // After a grant the agent acts as it is registered now, not as it was when it asked.
    const inForce = registry.agents.get(question.caller.agent);
    const caller =
      grant === null || inForce === undefined
        ? question.caller
        : { ...question.caller, version: inForce.version, accountable: inForce.spec.accountable };
    const stand = standing(registry, deps.halts.current(), caller, tool);

    let denial: Decision | null = refusal === null ? null : deny(refusal);
    if (stand.type === "deny") denial ??= deny(stand);
    let input: NormalArguments | null = null;
    let amount: number | null = null;
    let subjects: string[] = [];
    const identity = {
      caller,
      tool,
      pin: stand.type === "stands" ? stand.tool.pin.digest : "",
      key: question.idempotencyKey,
      continuation: question.continuation,
    };
    let digest: Digest | null = null;
    if (stand.type === "stands") {
      try {
        input = deps.normaliser.arguments(stand.tool.pin, question.arguments);
        amount = amountOf(stand.tool.spec.amount?.pointer, input.value);
        subjects = subjectsOfCall(stand, input.value, null);
        digest = digestOf({ ...identity, input });
      } catch (error) {
        if (!RemitError.is(error)) throw error;
        denial ??= deny({ code: error.code, reason: error.message });
      }
    }

    digest ??= digestOf({ ...identity, input: null });
    if (grant !== null && digest !== grant.digest)
      denial ??= deny({ code: "tool-changed", reason: "What would run now is not what was approved: the tool has changed since." });
    const now = deps.now();
    const time = localTime(now, registry.organisation.timeZone);
    const scopes = { agent: caller.agent, run: caller.run?.id ?? null, tool };
    const at = { ...question, caller, digest, now, registry, input, subjects, stand: stand.type === "stands" ? stand : null };
    const entries = actionEntries(deps.newId, at);
    const begin: Begin = {
      action: {
        id: actionId,
        digest,
        caller,
        tool,
        effect: stand.type === "stands" ? stand.tool.spec.effect : "write",
        idempotencyKey: question.idempotencyKey,
        attachKey:
          input === null || denial !== null
            ? null
            : question.idempotencyKey === null
              ? `digest/${digest}`
              : `key/${caller.agent}/${scopes.run ?? ""}/${question.idempotencyKey}`,
        argumentsEntry: entries.first,
        traceId: question.traceId,
        at: now,
      },
      epoch,
      counted: denial === null ? countedKeys(registry, caller, tool, time) : null,
      amount,
      decide: (counted) => {
        if (denial !== null || stand.type !== "stands" || input === null) return denial ?? internalDenial;
        try {
          return withRecordableReason(decide(registry, stand, caller, input.value, factsOf(registry, caller, counted), grant?.teams ?? []));
        } catch (error) {
          deps.logger.error({ err: error, actionId }, "policy could not be evaluated, and the attempt was denied");
          return deny({ code: "policy-error", reason: "Policy could not be evaluated; nothing is allowed without it." });
        }
      },
      draws: (decision) =>
        decision.type === "deny"
          ? []
          : decision.obligations.flatMap((obligation) =>
              obligation.type === "cap" ? (drawFor(obligation, scopes, amount, time) ?? []) : [],
            ),
      entries,
      request: entries.request,
      waitingLimit: caller.run === null ? (inForce?.spec.constraints.pendingApprovals ?? defaultPendingApprovals) : null,
      grant: grant === null ? null : { approvalId: grant.approvalId },
    };
    return { begin, stand: stand.type === "stands" ? stand : null, input };
  }

  /** Judges, commits and, where that is the decision, executes. */
  async function walk(question: Question, signal: AbortSignal, traceparent: string | null): Promise<Walked | "gone"> {
    const { actionId, caller } = question;
    const traced = { id: actionId, tool: question.tool, caller };
    let { refusal } = question;
    for (let round = 0; round <= maxRounds + 1; round += 1) {
      if (deps.inFlight.closing.aborted) {
        // What people have granted is for the next server.
        if (question.grant !== null) return "gone";
        refusal ??= { code: "server-unavailable", reason: "The server is stopping; try again in a moment." };
      }
      if (round === maxRounds) refusal ??= { code: "control-state-stale", reason: "The control state keeps changing; try again." };
      const deciding = traceDecision(deps, traced, traceparent);
      const beganAtMs = performance.now();
      let judged: ReturnType<typeof judge>;
      let begun: Begun;
      try {
        judged = judge(question, refusal);
        deps.crash(question.grant === null ? "before-intent" : "before-granted-intent");
        begun = await deps.journal.begin(judged.begin);
      } catch (error) {
        deciding?.end("denied");
        if (refusal !== null) throw error;
        refusal = await refusalFor(deps, error);
        continue;
      }
      const { stand, input } = judged;
      deciding?.set({
        "remit.verdict": "decision" in begun ? begun.decision.type : begun.type,
        "remit.policies": "decision" in begun ? begun.decision.policies.join(" ") : "",
        ...loggableArguments(stand, input),
      });
      deciding?.end();
      switch (begun.type) {
        case "stale":
          await deps.control.refresh();
          continue;
        case "gone":
          return "gone";
        case "attached":
          if (begun.sameDigest) return { end: "attached", outcome: await attachedOutcome(deps, begun.actionId, signal) };
          refusal = { code: "conflict", reason: "This idempotency key was used for another call; use a new key for a new call." };
          continue;
        case "denied":
          return { end: "denied", outcome: deniedOutcome(actionId, begun.decision) };
        case "waiting": {
          deps.crash("after-waiting");
          const { id: approvalId, link, expiresAt, teams } = begun.approval;
          const reason = `Waits for ${teams.join(" and ")}: ${whyAsked(begun.decision)}`;
          return {
            end: "waiting",
            outcome: { type: "waiting", actionId, approvalId, link, expiresAt: expiresAt.toISOString(), teams, reason },
          };
        }
        case "intended":
          deps.crash(question.grant === null ? "after-intent" : "after-granted-intent");
          if (stand === null || input === null) throw new RemitError("internal", "an action without standing was intended");
          return execute(deps, {
            intent: begun.intent,
            beganAtMs,
            actionId,
            caller,
            stand,
            input,
            decision: begun.decision,
            traceId: question.traceId,
            traceparent,
            signal,
            continuation: question.continuation,
            relay: question.relay,
            perform: question.perform,
            onTask: question.onTask,
          });
      }
    }
    throw new RemitError("internal", "a refusal could not be recorded");
  }

  /** As {@link walk}, while this server says that it sees to the action: what nobody sees to is given up as lost. */
  async function walkHeld(...args: Parameters<typeof walk>): ReturnType<typeof walk> {
    const release = deps.inFlight.hold(args[0].actionId);
    try {
      return await walk(...args);
    } finally {
      release();
    }
  }

  async function act(caller: Caller, attempt: Attempt): Promise<ActionOutcome> {
    const actionId = deps.newId("action");
    const tool = plainText(attempt.tool, maxNameLength);
    const traced = { id: actionId, tool, caller };
    const span = traceAttempt(deps, traced, { parent: attempt.traceparent ?? null });
    const key = attempt.idempotencyKey ?? null;
    const isPlainKey = key === null || plainText(key, maxNameLength) === key;
    const question: Question = {
      actionId,
      caller,
      tool,
      arguments: attempt.arguments,
      idempotencyKey: isPlainKey ? key : null,
      traceId: span.traceId,
      grant: null,
      continuation: attempt.continuation ?? null,
      refusal: isPlainKey ? null : badKey,
      relay: attempt.relay,
      perform: attempt.perform,
      onTask: attempt.onTask,
    };
    try {
      const walked = await walkHeld(question, attempt.signal, span.traceparent);
      if (walked === "gone") throw new RemitError("internal", "a fresh attempt has no grant to lose");
      endAttempt(deps, span, walked.end, walked.outcome);
      return walked.outcome;
    } catch (error) {
      const outcome = unrecordable(deps, actionId, error);
      endAttempt(deps, span, "unrecorded", outcome);
      return outcome;
    }
  }

  function list(caller: Caller): ListedTool[] {
    deps.control.epoch();
    const registry = deps.registry.current();
    const agent = registry.agents.get(caller.agent);
    if (agent === undefined) return [];
    const facts = factsOf(registry, caller, { runActions: 0, actionsThisMinute: 0, actionsToday: 0, amountToday: 0 });
    return agent.spec.tools.flatMap((name) => {
      const stand = standing(registry, deps.halts.current(), caller, name);
      if (stand.type === "deny" || decide(registry, stand, caller, null, facts, []).type === "deny") return [];
      const waits = caller.run?.requireApproval.some((named) => named === name || named === stand.tool.spec.name) ?? false;
      return [{ tool: stand.tool, note: waits ? `A call waits for the approval of ${caller.run?.approvers}.` : null }];
    });
  }

  function couldAct(caller: Caller, tool: string, args: JsonObject | null): boolean {
    deps.control.epoch();
    const registry = deps.registry.current();
    const stand = standing(registry, deps.halts.current(), caller, tool);
    if (stand.type === "deny") return false;
    const facts = factsOf(registry, caller, { runActions: 0, actionsThisMinute: 0, actionsToday: 0, amountToday: 0 });
    try {
      const input = args === null ? null : deps.normaliser.arguments(stand.tool.pin, args).value;
      return decide(registry, stand, caller, input, facts, []).type !== "deny";
    } catch (error) {
      if (RemitError.is(error)) return false;
      throw error;
    }
  }

  return { act, list, couldAct, executeGranted: createGrantedActions(deps, walkHeld) };
}

/** Longer names and keys than these name nothing. */
const maxNameLength = 256;
const badKey: Refusal = {
  code: "invalid-request",
  reason: `The idempotency key must be well-formed text of at most ${maxNameLength} characters without U+0000.`,
};

const internalDenial: Decision = { type: "deny", code: "internal", reason: "The attempt could not be judged.", policies: [], shadow: [] };

/** A cap of amounts on a tool that has none could not be kept, so it is not promised. */
function withCountableCaps(decision: Decision, { spec, qualifiedName }: Standing["tool"]): Decision {
  if (decision.type === "deny" || spec.amount !== undefined) return decision;
  const cap = decision.obligations.find((obligation) => obligation.type === "cap" && obligation.counts === "amount");
  if (cap === undefined) return decision;
  const reason = `Policy ${cap.policy} caps amounts, and ${qualifiedName} is registered without one.`;
  return { ...decision, type: "deny", code: "obligation-unsupported", reason, policies: [cap.policy] };
}

function deny({ code, reason }: Refusal): Decision {
  return withRecordableReason({ type: "deny", code, reason, policies: [], shadow: [] });
}

function withRecordableReason(decision: Decision): Decision {
  return decision.type === "deny" ? { ...decision, reason: plainText(decision.reason) } : decision;
}

/**
 * What is said of an attempt that could not be judged or begun, so that it is recorded all the same. Null: a stale control state has
 * been confirmed, and it can be judged.
 *
 * @throws what says that nothing can be recorded at all.
 */
async function refusalFor(deps: ActionDeps, error: unknown): Promise<Refusal | null> {
  if (!RemitError.is(error)) throw error;
  switch (error.code) {
    case "database-unavailable":
    case "ledger-unavailable":
    case "internal":
      throw error;
    case "control-state-stale":
      await Promise.race([deps.control.refresh(), delay(maxConfirmMs, undefined, { ref: false }).then(() => Promise.reject(error))]);
      return null;
    default:
      return { code: error.code, reason: error.message };
  }
}

/** How long a stale control state may take to be confirmed while a caller waits. */
const maxConfirmMs = 2_000;

function deniedOutcome(actionId: Id<"action">, { code, reason, policies }: Extract<Decision, { type: "deny" }>): ActionOutcome {
  return { type: "denied", actionId, code, reason, policies };
}

/** No ledger, no action: what cannot be recorded is denied, and the denial is all that can be said. */
function unrecordable(deps: ActionDeps, actionId: Id<"action">, error: unknown): ActionOutcome {
  deps.logger.error({ err: error, actionId }, "an attempt could not be recorded and was denied");
  if (RemitError.is(error) && error.code !== "internal")
    return { type: "denied", actionId, code: error.code, reason: error.message, policies: [] };
  return {
    type: "denied",
    actionId,
    code: "ledger-unavailable",
    reason: "The ledger cannot be written, so nothing may happen; try again in a moment.",
    policies: [],
  };
}
