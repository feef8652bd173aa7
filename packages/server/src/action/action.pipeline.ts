import { setTimeout as delay } from "node:timers/promises";
import { type ActionOutcome, type Caller, type Decision, type Id, RemitError } from "@remit/contract";
import type { AttemptEnd } from "../telemetry/semconv.ts";
import type { Relay } from "../upstream/relay.ts";
import type { ActionPath, Attempt } from "./action-path.ts";
import type { Begun } from "./action.journal.ts";
import type { ActionDeps } from "./action-deps.ts";
import { whyAsked } from "./action-entries.ts";
import { endAttempt, loggableArguments, traceAttempt, traceDecision } from "./action-trace.ts";
import { attachedOutcome } from "./attached-outcome.ts";
import { execute } from "./execute.ts";
import { createGrantedActions } from "./granted-actions.ts";
import { createJudge } from "./judge.ts";
import type { Judged, Question, Refusal } from "./judge.ts";
import { plainText } from "./plain-text.ts";

/** One attempt, as the path sees it. */
export type PathAttempt = Question & {
  /** Set where it is plain beforehand that it is refused: then only that is recorded. */
  refusal: Refusal | null;
  /** The client's side, while it is there. */
  relay?: Relay | undefined;
  perform?: Attempt["perform"] | undefined;
  onTask?: Attempt["onTask"] | undefined;
};

/** What a caller is told, and how the attempt ended: more ends than words for callers. */
export type Walked = { outcome: ActionOutcome; end: AttemptEnd };

/** Changes of control state in a row, while one attempt is judged, after which it is denied. */
const maxRounds = 8;

/**
 * The path of an action: identify → normalise → halt → tier → decide → reserve → approve → intent → execute → check → outcome.
 *
 * Identifying is done before (`caller` is verified). Everything up to `decide` is in `judge.ts`; reserving and committing the intent
 * are one transaction of the journal; executing takes the marker that only that transaction returns.
 */
export type RunningActionPath = ActionPath & {
  /** Executes what people have granted: re-decided now, each once. How many; those that run already are left alone. */
  executeGranted(): Promise<number>;
};

export function createActionPath(deps: ActionDeps): RunningActionPath {
  const judge = createJudge(deps);

  /**
   * Judges, commits and, where that is the decision, executes. Whoever calls it holds the action meanwhile: what no server says that it
   * sees to is given up as lost.
   */
  async function walk(question: PathAttempt, signal: AbortSignal, traceparent: string | null): Promise<Walked | "gone"> {
    const { actionId, caller } = question;
    let { refusal } = question;
    for (let round = 0; round <= maxRounds + 1; round += 1) {
      if (deps.inFlight.closing.aborted) {
        // What people have granted is for the next server.
        if (question.grant !== null) return "gone";
        refusal ??= { code: "server-unavailable", reason: "The server is stopping; try again in a moment." };
      }
      if (round === maxRounds) refusal ??= { code: "control-state-stale", reason: "The control state keeps changing; try again." };
      const deciding = deps.tracing.exporting ? traceDecision(deps, { id: actionId, tool: question.tool, caller }, traceparent) : null;
      const beganAtMs = performance.now();
      let judged: Judged;
      let begun: Begun;
      try {
        judged = judge.attempt(question, refusal);
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
          return {
            end: "denied",
            outcome: deniedOutcome(actionId, judged.told === null ? begun.decision : { ...begun.decision, reason: judged.told }),
          };
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
          return await execute(deps, {
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

  async function act(caller: Caller, attempt: Attempt): Promise<ActionOutcome> {
    const actionId = deps.newId("action");
    const tool = plainText(attempt.tool, maxNameLength);
    const span = traceAttempt(deps, { id: actionId, tool, caller }, { parent: attempt.traceparent ?? null });
    const key = attempt.idempotencyKey ?? null;
    const isPlainKey = key === null || plainText(key, maxNameLength) === key;
    const question: PathAttempt = {
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
    const release = deps.inFlight.hold(actionId);
    try {
      const walked = await walk(question, attempt.signal, span.traceparent);
      if (walked === "gone") throw new RemitError("internal", "a fresh attempt has no grant to lose");
      endAttempt(deps, span, walked.end, walked.outcome);
      return walked.outcome;
    } catch (error) {
      const outcome = unrecordable(deps, actionId, error);
      endAttempt(deps, span, "unrecorded", outcome);
      return outcome;
    } finally {
      release();
    }
  }

  return {
    act,
    list: (caller) => judge.list(caller),
    couldAct: (...question) => judge.couldAct(...question),
    executeGranted: createGrantedActions(deps, walk),
  };
}

/** Longer names and keys than these name nothing. */
const maxNameLength = 256;
const badKey: Refusal = {
  code: "invalid-request",
  reason: `The idempotency key must be well-formed text of at most ${maxNameLength} characters without U+0000.`,
};

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
