import { type ActionOutcome, type Caller, type Decision, type Id, type JsonObject, RemitError } from "@remit/contract";
import { type Facts, type PolicyRequest, type Standing, drawFor, localTime, standing, tierDenial, withRunApproval } from "@remit/core";
import type { ActionPath, Attempt, ListedTool } from "./action-path.ts";
import type { Begin, Counted } from "./action.journal.ts";
import type { ActionDeps } from "./action-deps.ts";
import { actionEntries } from "./action-entries.ts";
import { actionSpanId, actionTraceparent, traceApprovalWait } from "./action-trace.ts";
import { attachedOutcome } from "./attached-outcome.ts";
import { createCountedKeys } from "./counted-facts.ts";
import { digestOf } from "./digest-of.ts";
import { execute } from "./execute.ts";
import { type NormalArguments, amountOf } from "./normalise.ts";

/** One attempt, as the path sees it: by whom, with what, and with which approvals in hand. */
type Question = {
  actionId: Id<"action">;
  caller: Caller;
  tool: string;
  arguments: unknown;
  idempotencyKey: string | null;
  traceId: string | null;
  grant: { approvalId: Id<"approval">; digest: string; teams: string[] } | null;
};

/** Changes of control state in a row, while one attempt is judged, after which it is denied. */
const maxRounds = 8;

/**
 * The path of an action: identify → normalise → halt → tier → decide → reserve → approve → intent → execute → check → outcome.
 *
 * Identifying is done before (`caller` is verified). Everything up to `decide` is in `judge`; reserving and committing the intent
 * are one transaction of the journal; executing takes the marker that only that transaction returns.
 */
export function createActionPath(deps: ActionDeps): ActionPath & { executeGranted(): Promise<number> } {
  const countedKeys = createCountedKeys();

  /** Tier and policy. The one function that decides, for a call (`input`) as for a listing (`input` null). */
  function decide(
    { agent, environment, tool }: Standing,
    caller: Caller,
    input: JsonObject | null,
    facts: Facts,
    approvals: string[],
  ): Decision {
    const request: PolicyRequest = {
      agent: agent.name,
      roles: agent.roles,
      tier: agent.tier,
      tool: tool.qualifiedName,
      upstream: tool.spec.upstream,
      effect: tool.spec.effect,
      sensitivity: tool.spec.sensitivity,
      reversibility: tool.spec.reversibility,
      queue: caller.run?.queue ?? null,
      environment: environment.name,
      environmentType: environment.type,
      workflow: caller.run?.workflow ?? null,
      input,
      facts,
      approvals,
    };
    const registry = deps.registry.current();
    const beyondTier = tierDenial({ ...request, agent: agent.name });
    if (beyondTier !== null) return beyondTier;
    if (input === null) {
      return deps.policy.couldAllow(registry, caller.policy, request)
        ? { type: "allow", obligations: [], policies: [], shadow: [] }
        : { type: "deny", code: "no-grant", reason: "No policy could allow it.", policies: [], shadow: [] };
    }
    const decision = deps.policy.decide(registry, caller.policy, request);
    return withRunApproval(decision, caller.run, { qualifiedName: tool.qualifiedName, name: tool.spec.name }, approvals);
  }

  function factsOf(caller: Caller, counted: Counted): Facts {
    const { weekday, hour, date } = localTime(deps.now(), deps.registry.current().organisation.timeZone);
    return { weekday, hour, date, ...counted, runActionsLimit: caller.run?.maxActions ?? 0 };
  }

  /** Everything that can be known before the lock. What is wrong becomes a decision to deny, so that every attempt is recorded. */
  function judge(question: Question): { begin: Begin; stand: Standing | null; input: NormalArguments | null } {
    const epoch = deps.control.epoch();
    const registry = deps.registry.current();
    const { grant, tool, actionId } = question;
    // After a grant the agent acts as it is registered now, not as it was when it asked.
    const inForce = registry.agents.get(question.caller.agent);
    const caller =
      grant === null || inForce === undefined
        ? question.caller
        : { ...question.caller, version: inForce.version, accountable: inForce.spec.accountable };
    const stand = standing(registry, deps.halts.current(), caller, tool);

    let denial: Decision | null = stand.type === "deny" ? { ...stand, policies: [], shadow: [] } : null;
    let input: NormalArguments | null = null;
    let amount: number | null = null;
    if (stand.type === "stands") {
      try {
        input = deps.normaliser.arguments(stand.tool.pin, question.arguments);
        amount = amountOf(stand.tool.spec.amount?.pointer, input.value);
      } catch (error) {
        if (!RemitError.is(error)) throw error;
        denial = { type: "deny", code: error.code, reason: error.message, policies: [], shadow: [] };
      }
    }

    const digest = digestOf({
      caller,
      tool,
      pin: stand.type === "stands" ? stand.tool.pin.digest : "",
      input,
      key: question.idempotencyKey,
    });
    if (grant !== null && denial === null && digest !== grant.digest) {
      denial = {
        type: "deny",
        code: "tool-changed",
        reason: "What would run now is not what was approved: the tool has changed since.",
        policies: [],
        shadow: [],
      };
    }
    const now = deps.now();
    const time = localTime(now, registry.organisation.timeZone);
    const scopes = { agent: caller.agent, run: caller.run?.id ?? null, tool };
    const at = { ...question, caller, digest, now, registry, input, stand: stand.type === "stands" ? stand : null };
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
          input === null
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
        return decide(stand, caller, input.value, factsOf(caller, counted), grant?.teams ?? []);
      },
      draws: (decision) =>
        decision.type === "deny"
          ? []
          : decision.obligations.flatMap((obligation) =>
              obligation.type === "cap" ? (drawFor(obligation, scopes, amount, time) ?? []) : [],
            ),
      entries,
      request: entries.request,
      grant: grant === null ? null : { approvalId: grant.approvalId },
    };
    return { begin, stand: stand.type === "stands" ? stand : null, input };
  }

  /** Judges, commits and, where that is the decision, executes. */
  async function walk(question: Question, signal: AbortSignal, traceparent: string | null): Promise<ActionOutcome | "gone"> {
    const { actionId, caller } = question;
    for (let round = 0; round < maxRounds; round += 1) {
      const deciding = deps.tracing.start(`decide ${question.tool}`, {
        service: caller.run?.serviceName ?? null,
        parent: traceparent,
        attributes: { "remit.action.id": actionId, "remit.policy": caller.policy },
      });
      const { begin, stand, input } = judge(question);
      deps.crash(question.grant === null ? "before-intent" : "before-granted-intent");
      const begun = await deps.journal.begin(begin);
      deciding.set({
        "remit.verdict": "decision" in begun ? begun.decision.type : begun.type,
        "remit.policies": "decision" in begun ? begun.decision.policies.join(" ") : "",
      });
      deciding.end();
      switch (begun.type) {
        case "stale":
          await deps.control.refresh();
          continue;
        case "gone":
          return "gone";
        case "attached":
          if (!begun.sameDigest) return conflictingKey(begun.actionId);
          return attachedOutcome(deps, begun.actionId, signal);
        case "denied":
          return { type: "denied", actionId, code: begun.decision.code, reason: begun.decision.reason, policies: begun.decision.policies };
        case "waiting": {
          deps.crash("after-waiting");
          const { id: approvalId, link, expiresAt, teams } = begun.approval;
          const reason = `Waits for ${teams.join(" and ")}: ${begun.decision.approvals.flatMap(({ gates }) => gates).join(", ")}.`;
          return { type: "waiting", actionId, approvalId, link, expiresAt: expiresAt.toISOString(), teams, reason };
        }
        case "intended":
          deps.crash(question.grant === null ? "after-intent" : "after-granted-intent");
          if (stand === null || input === null) throw new RemitError("internal", "an action without standing was intended");
          return execute(deps, {
            intent: begun.intent,
            actionId,
            caller,
            stand,
            input,
            decision: begun.decision,
            traceId: question.traceId,
            traceparent,
            signal,
          });
      }
    }
    return { type: "denied", actionId, code: "control-state-stale", reason: "The control state keeps changing; try again.", policies: [] };
  }

  async function act(caller: Caller, attempt: Attempt): Promise<ActionOutcome> {
    const actionId = deps.newId("action");
    const span = deps.tracing.start(`action ${attempt.tool}`, {
      service: caller.run?.serviceName ?? null,
      parent: attempt.traceparent ?? null,
      spanId: actionSpanId(actionId),
      attributes: {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": attempt.tool,
        "gen_ai.agent.name": caller.agent,
        "remit.action.id": actionId,
        "remit.run.id": caller.run?.id ?? "",
      },
    });
    const key = attempt.idempotencyKey ?? null;
    const question: Question = {
      actionId,
      caller,
      tool: attempt.tool,
      arguments: attempt.arguments,
      idempotencyKey: key,
      traceId: span.traceId,
      grant: null,
    };
    try {
      const outcome = await walk(question, attempt.signal, span.traceparent);
      if (outcome === "gone") throw new RemitError("internal", "a fresh attempt has no grant to lose");
      span.set({ "remit.outcome": outcome.type, ...("code" in outcome ? { "error.type": outcome.code } : {}) });
      span.end(outcome.type === "failed" ? outcome.code : undefined);
      return outcome;
    } catch (error) {
      span.end("denied");
      return unrecordable(deps, actionId, error);
    }
  }

  function list(caller: Caller): ListedTool[] {
    deps.control.epoch();
    const registry = deps.registry.current();
    const agent = registry.agents.get(caller.agent);
    if (agent === undefined) return [];
    const facts = factsOf(caller, { runActions: 0, actionsThisMinute: 0, actionsToday: 0, amountToday: 0 });
    return agent.spec.tools.flatMap((name) => {
      const stand = standing(registry, deps.halts.current(), caller, name);
      if (stand.type === "deny" || decide(stand, caller, null, facts, []).type === "deny") return [];
      const waits = caller.run?.requireApproval.some((named) => named === name || named === stand.tool.spec.name) ?? false;
      return [{ tool: stand.tool, note: waits ? `A call waits for the approval of ${caller.run?.approvers}.` : null }];
    });
  }

  /** Executes what people have granted: re-decided now, each once. */
  async function executeGranted(): Promise<number> {
    const granted = await deps.approvals.granted(maxGrantedAtOnce);
    const done = await Promise.all(
      granted.map(async ({ approvalId, actionId, digest, teams }) => {
        const row = await deps.journal.read(actionId);
        if (row === null || row.state !== "waiting") return 0;
        const input = await deps.payloads.open(row.argumentsEntry, "arguments");
        const question: Question = {
          actionId,
          caller: row.caller,
          tool: row.tool,
          // Erased arguments cannot be executed; as undefined they fail validation, and the action ends as denied.
          arguments: input ?? "erased",
          idempotencyKey: row.idempotencyKey,
          traceId: row.traceId,
          grant: { approvalId, digest, teams },
        };
        const span = deps.tracing.start(`action ${row.tool}`, {
          service: row.caller.run?.serviceName ?? null,
          parent: actionTraceparent(row),
          attributes: { "remit.action.id": actionId, "remit.approval.id": approvalId },
        });
        const at = deps.now();
        const outcome = await walk(question, new AbortController().signal, span.traceparent);
        // Another server had it: the span is its to send.
        if (outcome === "gone") return 0;
        traceApprovalWait(deps.tracing, row, { outcome: "granted", at });
        span.set({ "remit.outcome": outcome.type });
        span.end(outcome.type === "failed" ? outcome.code : undefined);
        return 1;
      }),
    );
    return done.reduce<number>((sum, one) => sum + one, 0);
  }

  return { act, list, executeGranted };
}

const maxGrantedAtOnce = 16;

const internalDenial: Decision = { type: "deny", code: "internal", reason: "The attempt could not be judged.", policies: [], shadow: [] };

function conflictingKey(actionId: Id<"action">): ActionOutcome {
  const reason = "This idempotency key was used for another call; use a new key for a new call.";
  return { type: "denied", actionId, code: "conflict", reason, policies: [] };
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
