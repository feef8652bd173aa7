import { type Caller, type Decision, type Digest, type ErrorCode, type Id, type JsonObject, RemitError } from "@remit/contract";
import {
  type Draw,
  type Facts,
  type Registry,
  type Standing,
  drawFor,
  localTime,
  policyRequestOf,
  standing,
  tierDenial,
  withRunApproval,
} from "@remit/core";
import type { Continuation } from "../upstream/relay.ts";
import type { ActionPath } from "./action-path.ts";
import type { ActionDeps } from "./action-deps.ts";
import { actionEntries, subjectsOfCall, subjectsOfRefused } from "./action-entries.ts";
import type { Begin, Counted } from "./action.journal.ts";
import { createCountedKeys, nothingCounted } from "./counted-facts.ts";
import { digestOf } from "./digest-of.ts";
import { type NormalArguments, amountOf, recordableReason } from "./normalise.ts";
import { plainText } from "./plain-text.ts";

/** What is judged of an attempt: by whom, with what, and with which approvals in hand. */
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
};

export type Refusal = { code: ErrorCode; reason: string };

/** What the journal needs to begin an attempt, and what executing it would need. */
export type Judged = {
  begin: Begin;
  stand: Standing | null;
  input: NormalArguments | null;
  /** What the caller is told of a denial where that quotes what it said, and is not recorded. */
  told: string | null;
};

/** Judges attempts and listings by one and the same function. Changes nothing: the journal commits what is decided here. */
export type Judge = Pick<ActionPath, "list" | "couldAct"> & {
  /**
   * Everything that can be known before the lock. What is wrong becomes a decision to deny, so that every attempt is recorded.
   * `refusal`: it is plain beforehand that it is refused.
   */
  attempt(question: Question, refusal: Refusal | null): Judged;
};

/** How many calls of one agent may wait for people at a time, where its registration does not say. */
const defaultPendingApprovals = 100;

export function createJudge(
  deps: Pick<ActionDeps, "registry" | "control" | "halts" | "policy" | "normaliser" | "logger" | "now" | "newId">,
): Judge {
  const countedKeys = createCountedKeys();

  /** Tier and policy, for a call (`input`) as for a listing (`input` null). */
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
    if (caller.run === null) return decision;
    return withRunApproval(decision, caller.run, { qualifiedName: tool.qualifiedName, name: tool.spec.name }, approvals);
  }

  function factsOf(registry: Registry, caller: Caller, counted: Counted): Facts {
    const { weekday, hour, date } = localTime(deps.now(), registry.organisation.timeZone);
    const { runActions, actionsThisMinute, actionsToday, amountToday } = counted;
    const runActionsLimit = caller.run?.maxActions ?? 0;
    return { weekday, hour, date, runActions, runActionsLimit, actionsThisMinute, actionsToday, amountToday };
  }

  return {
    attempt(question, refusal) {
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
      const found = standing(registry, deps.halts.current(), caller, tool);
      const stand = found.type === "stands" ? found : null;

      let told: string | null = null;
      let denial: Decision | null = refusal === null ? null : deny(refusal);
      if (found.type === "deny") denial ??= deny(found);
      let input: NormalArguments | null = null;
      let amount: number | null = null;
      let subjects: readonly string[] = [];
      const { idempotencyKey: key, continuation, traceId } = question;
      const pin = stand?.tool.pin.digest ?? "";
      let digest: Digest | null = null;
      if (stand !== null) {
        try {
          input = deps.normaliser.arguments(stand.tool.pin, question.arguments);
          amount = amountOf(stand.tool.spec.amount?.pointer, input.value);
          subjects = subjectsOfCall(stand, input.value, null);
          digest = digestOf({ caller, tool, pin, input, key, continuation });
        } catch (error) {
          if (!RemitError.is(error)) throw error;
          if (denial === null) told = plainText(error.message);
          denial ??= deny({ code: error.code, reason: recordableReason(stand.tool, error) });
        }
      }

      // What was said of somebody in vain is his to erase too.
      if (digest === null) subjects = subjectsOfRefused(registry, tool, question.arguments);
      digest ??= digestOf({ caller, tool, pin, input: null, key, continuation });
      if (grant !== null && digest !== grant.digest)
        denial ??= deny({ code: "tool-changed", reason: "What would run now is not what was approved: the tool has changed since." });
      const now = deps.now();
      const time = localTime(now, registry.organisation.timeZone);
      const scopes = { agent: caller.agent, run: caller.run?.id ?? null, tool };
      // What policies have read of what is counted is known only under the lock, and recorded: by nothing else could it be decided again.
      let read: Facts | null = null;
      const entries = actionEntries(deps.newId, {
        actionId,
        caller,
        tool,
        arguments: question.arguments,
        traceId,
        digest,
        now,
        registry,
        input,
        stand,
        continuation,
        subjects,
        facts: () => read,
      });
      const counted = denial === null ? countedKeys(registry, caller, tool, time) : null;
      const begin: Begin = {
        action: {
          id: actionId,
          digest,
          caller,
          tool,
          effect: stand?.tool.spec.effect ?? "write",
          idempotencyKey: key,
          attachKey:
            input === null || denial !== null ? null : key === null ? `digest/${digest}` : `key/${caller.agent}/${scopes.run ?? ""}/${key}`,
          argumentsEntry: entries.first,
          traceId,
          at: now,
        },
        epoch,
        counted,
        amount,
        decide: (totals) => {
          if (denial !== null || stand === null || input === null) return denial ?? internalDenial;
          try {
            const facts = factsOf(registry, caller, totals);
            if (counted !== null) read = facts;
            return withRecordableReason(decide(registry, stand, caller, input.value, facts, grant?.teams ?? []));
          } catch (error) {
            deps.logger.error({ err: error, actionId }, "policy could not be evaluated, and the attempt was denied");
            return deny({ code: "policy-error", reason: "Policy could not be evaluated; nothing is allowed without it." });
          }
        },
        draws: (decision) => {
          const draws: Draw[] = [];
          if (decision.type === "deny") return draws;
          for (const obligation of decision.obligations) {
            const draw = obligation.type === "cap" ? drawFor(obligation, scopes, amount, time) : null;
            if (draw !== null) draws.push(draw);
          }
          return draws;
        },
        entries,
        request: entries.request,
        waitingLimit: caller.run === null ? (inForce?.spec.constraints.pendingApprovals ?? defaultPendingApprovals) : null,
        grant: grant === null ? null : { approvalId: grant.approvalId },
      };
      return { begin, stand, input, told };
    },

    list(caller) {
      deps.control.epoch();
      const registry = deps.registry.current();
      const agent = registry.agents.get(caller.agent);
      if (agent === undefined) return [];
      const facts = factsOf(registry, caller, nothingCounted);
      return agent.spec.tools.flatMap((name) => {
        const stand = standing(registry, deps.halts.current(), caller, name);
        if (stand.type === "deny" || decide(registry, stand, caller, null, facts, []).type === "deny") return [];
        const waits = caller.run?.requireApproval.some((named) => named === name || named === stand.tool.spec.name) ?? false;
        return [{ tool: stand.tool, note: waits ? `A call waits for the approval of ${caller.run?.approvers}.` : null }];
      });
    },

    couldAct(caller, tool, args) {
      deps.control.epoch();
      const registry = deps.registry.current();
      const stand = standing(registry, deps.halts.current(), caller, tool);
      if (stand.type === "deny") return false;
      const facts = factsOf(registry, caller, nothingCounted);
      try {
        const input = args === null ? null : deps.normaliser.arguments(stand.tool.pin, args).value;
        return decide(registry, stand, caller, input, facts, []).type !== "deny";
      } catch (error) {
        if (RemitError.is(error)) return false;
        throw error;
      }
    },
  };
}

function deny({ code, reason }: Refusal): Decision {
  return withRecordableReason({ type: "deny", code, reason, policies: [], shadow: [] });
}

const internalDenial: Decision = { type: "deny", code: "internal", reason: "The attempt could not be judged.", policies: [], shadow: [] };

function withRecordableReason(decision: Decision): Decision {
  return decision.type === "deny" ? { ...decision, reason: plainText(decision.reason) } : decision;
}

/** A cap of amounts on a tool that has none could not be kept, so it is not promised. */
function withCountableCaps(decision: Decision, { spec, qualifiedName }: Standing["tool"]): Decision {
  if (decision.type === "deny" || spec.amount !== undefined) return decision;
  const cap = decision.obligations.find((obligation) => obligation.type === "cap" && obligation.counts === "amount");
  if (cap === undefined) return decision;
  const reason = `Policy ${cap.policy} caps amounts, and ${qualifiedName} is registered without one.`;
  return { ...decision, type: "deny", code: "obligation-unsupported", reason, policies: [cap.policy] };
}
