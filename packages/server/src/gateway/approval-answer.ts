import type { ActionOutcome, Caller, Id, JsonObject } from "@remit/contract";
import type { FollowedActions } from "../action/followed-actions.ts";
import { rpcCodes } from "../mcp/mcp-protocol.ts";
import type { ApprovalTasks } from "./approval-tasks.ts";
import { abilitiesOf } from "./client-abilities.ts";
import type { Refusal } from "./refusal.ts";
import { refuse } from "./refusal.ts";
import type { RequestStates, StateBinding } from "./request-state.ts";
import { principalOf, requestDigest } from "./request-state.ts";
import type { RpcRequest } from "./rpc-message.ts";
import { isObject } from "./rpc-message.ts";
import type { UsedStates } from "./used-states.ts";

export type WaitingOutcome = Extract<ActionOutcome, { type: "waiting" }>;

/** Whose request it is, and at which address it was made. */
export type Asking = { caller: Caller; upstream: string | null };

/** A retry whose state is of a call that waited for a person. */
export type Resumed = { type: "resumed"; message: RpcRequest; round: number; goOn: boolean };

/**
 * How a call that waits for a person is answered in the stateless revision: by a task where the client follows tasks, by asking for input
 * (the page on which the person decides) where it opens addresses, and otherwise as in every revision, by a result that says so.
 */
export type ApprovalAnswers = {
  /**
   * Reads the state of a retry, and waits a while for the person. Null where the request carries none of ours. The message that comes back
   * is the one that was answered first, with whatever that one had brought along.
   */
  resume(message: RpcRequest, asking: Asking, signal: AbortSignal): Promise<Resumed | Refusal | null>;
  /** The result for a call that waits; null where the client can do nothing with it but read it. */
  answer(message: RpcRequest, asking: Asking, outcome: WaitingOutcome, resumed: Resumed | null): Promise<JsonObject | null>;
};

export type ApprovalAnswerDeps = {
  states: RequestStates;
  used: UsedStates;
  actions: Pick<FollowedActions, "untilDecided">;
  tasks: ApprovalTasks;
  /** How long one retry is held. Less than clients wait for an answer. */
  holdMs?: number;
  /** After so many retries the client is told to come back later. Fewer than clients give up after. */
  maxRounds?: number;
};

const kind = "approval";
/** The requests that may be answered with a request for input. */
const mayAsk: ReadonlySet<string> = new Set(["tools/call", "resources/read", "prompts/get"]);
const inputKey = "remit_approval";

/** What a retry may bring along that is not the call itself. */
type Carried = { requestState?: string; inputResponses?: JsonObject };

export function createApprovalAnswers(deps: ApprovalAnswerDeps): ApprovalAnswers {
  const holdMs = deps.holdMs ?? 20_000;
  const maxRounds = deps.maxRounds ?? 8;
  const bindingOf = (message: RpcRequest, { caller, upstream }: Asking): StateBinding => ({
    kind,
    principal: principalOf(caller),
    digest: requestDigest(message, upstream),
  });

  return {
    async resume(message, asking, signal) {
      const { requestState, inputResponses } = message.params;
      if (requestState === undefined) return null;
      const opened = deps.states.open(requestState, bindingOf(message, asking));
      if (opened.type === "refused") return opened.known ? refuse(200, rpcCodes.invalidParams, `Invalid params: ${opened.reason}`) : null;
      if (!(await deps.used.use(opened.id, opened.expiresAt))) {
        return refuse(200, rpcCodes.invalidParams, "Invalid params: requestState has been used already; make the request again without it");
      }
      const data = opened.data as { action: Id<"action">; round: number; asked: boolean; carried: Carried };
      const said = isObject(inputResponses) ? inputResponses[inputKey] : undefined;
      const goOn = !data.asked || (isObject(said) && said["action"] === "accept");
      if (goOn) await deps.actions.untilDecided(data.action, { forMs: holdMs, signal });
      const { requestState: _state, inputResponses: _responses, ...params } = message.params;
      return { type: "resumed", message: { ...message, params: { ...params, ...data.carried } }, round: data.round, goOn };
    },

    async answer(message, asking, outcome, resumed) {
      const { openUrls, followTasks } = abilitiesOf(message);
      if (followTasks && message.method === "tools/call") {
        return deps.tasks.create(outcome, asking.caller, { tool: toolOf(message), openUrls });
      }
      if (!mayAsk.has(message.method) || !openUrls || (resumed !== null && (!resumed.goOn || resumed.round >= maxRounds))) return null;
      const ask = resumed === null;
      const { requestState, inputResponses } = message.params;
      const carried: Carried = {
        ...(typeof requestState === "string" ? { requestState } : {}),
        ...(isObject(inputResponses) ? { inputResponses } : {}),
      };
      const data = { action: outcome.actionId, round: (resumed?.round ?? 0) + 1, asked: ask, carried };
      return {
        resultType: "input_required",
        // Asked once: the retries after it only wait.
        ...(ask ? { inputRequests: { [inputKey]: approvalElicitation(outcome, asking.caller, toolOf(message)) } } : {}),
        requestState: deps.states.seal(bindingOf(message, asking), data, new Date(outcome.expiresAt)),
        _meta: { "remit/action": outcome.actionId },
      };
    },
  };
}

/** What is being used, in the client's own words for it. */
function toolOf(message: RpcRequest): string {
  const { name, uri } = message.params;
  return typeof name === "string" ? name : typeof uri === "string" ? uri : message.method;
}

/** Asks whoever sits at the client to open the page of the request. Nothing is decided by opening it: the page wants a login and a vote. */
export function approvalElicitation(outcome: WaitingOutcome, caller: Caller, tool: string): JsonObject {
  const message =
    `${caller.agent} wants to use ${tool}, which waits for approval by ${outcome.teams.join(" and ")} until ${outcome.expiresAt}. ` +
    "The page shows exactly what would run; whoever may decide can do it there. Nothing runs before that.";
  return { method: "elicitation/create", params: { mode: "url", message, url: outcome.link } };
}
