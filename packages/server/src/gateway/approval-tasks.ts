import type { Caller, Id, JsonObject } from "@remit/contract";
import type { Followed, FollowedActions } from "../action/followed-actions.ts";
import type { UpstreamTasks } from "../action/upstream-tasks.ts";
import type { ServerRequest } from "../upstream/connection.ts";
import type { ApprovalService } from "../approval/approval.service.ts";
import type { WaitingOutcome } from "./approval-answer.ts";
import { approvalElicitation } from "./approval-answer.ts";
import { resultOf } from "./outcome-result.ts";
import type { RequestStates } from "./request-state.ts";
import { principalOf } from "./request-state.ts";
import { isObject } from "./rpc-message.ts";
import type { UsedStates } from "./used-states.ts";

/**
 * Calls that wait, for a person or for an upstream that works by itself, as tasks (extension `io.modelcontextprotocol/tasks`). A task's id
 * is sealed: nobody but the agent that it was given to gets anything by it, and what was not made here is unknown. Nothing is kept for a
 * task but the action itself.
 */
export type ApprovalTasks = {
  /** The result that stands in for the call's own. The action is in the database already, so the task can be got from now on. */
  create(outcome: WaitingOutcome, caller: Caller, about: { tool: string; openUrls: boolean }): JsonObject;
  /** As `create`, for an action at which its upstream works by itself. */
  began(action: Id<"action">, caller: Caller, tool: string): JsonObject;
  /** Puts what the upstream asks before whoever follows the task. @throws RpcError */
  ask(action: Id<"action">, request: ServerRequest, signal: AbortSignal): Promise<JsonObject>;
  /** Each of these: null where the task is not one of these, or not this caller's. */
  get(taskId: unknown, caller: Caller): Promise<JsonObject | null>;
  update(taskId: unknown, caller: Caller, inputResponses: unknown): Promise<JsonObject | null>;
  /** Withdraws the request, and stops an upstream that works at it by itself. Any other call that is being executed goes on. */
  cancel(taskId: unknown, caller: Caller): Promise<JsonObject | null>;
};

export type ApprovalTaskDeps = {
  states: RequestStates;
  used: UsedStates;
  actions: Pick<FollowedActions, "look">;
  approvals: Pick<ApprovalService, "withdrawRequest">;
  running: Pick<UpstreamTasks, "look" | "ask" | "answer" | "cancel">;
  /** Whether the tool has no output schema: see {@link resultOf}. */
  structured: (tool: string) => boolean;
  now: () => Date;
  pollMs?: number;
};

/** How long after its request has ended a task can still be asked for. */
const keptMs = 7 * 86_400_000;
/** No upstream may work at one call for longer. */
const longestMs = 86_400_000;
const kind = "approval-task";
const inputKey = "remit_approval";

type Handle = {
  id: string;
  createdAt: string;
  ttlMs: number;
  action: Id<"action">;
  /** Null: nobody had to be asked. */
  approval: Id<"approval"> | null;
  tool: string;
  asks: boolean;
};

export function createApprovalTasks(deps: ApprovalTaskDeps): ApprovalTasks {
  const pollIntervalMs = deps.pollMs ?? 3_000;

  function open(taskId: unknown, caller: Caller): Handle | null {
    const opened = deps.states.open(taskId, bindingOf(caller));
    if (opened.type === "refused") return null;
    return { ...(opened.data as Omit<Handle, "id">), id: opened.id };
  }

  function task(taskId: string, handle: Omit<Handle, "id">, more: JsonObject): JsonObject {
    const { createdAt, ttlMs } = handle;
    return { taskId, createdAt, lastUpdatedAt: createdAt, ttlMs, pollIntervalMs, ...more };
  }

  /** The handle and how its action stands; null for whoever is not to know of it. */
  async function find(taskId: unknown, caller: Caller): Promise<{ taskId: string; handle: Handle; followed: Followed } | null> {
    const handle = open(taskId, caller);
    const followed = handle === null ? null : await deps.actions.look(handle.action);
    return handle === null || followed === null ? null : { taskId: String(taskId), handle, followed };
  }

  async function describe(taskId: string, handle: Handle, followed: Followed, caller: Caller): Promise<JsonObject> {
    if (followed.state === "executing") {
      const running = deps.running.look(handle.action);
      const statusMessage = running?.statusMessage ?? (handle.approval === null ? worksWords : "Approved; it is being carried out.");
      if (running === null || Object.keys(running.questions).length === 0)
        return task(taskId, handle, { status: "working", statusMessage });
      const inputRequests = Object.fromEntries(Object.entries(running.questions).map(([key, question]) => [key, { ...question }]));
      return task(taskId, handle, { status: "input_required", statusMessage, inputRequests });
    }
    if (followed.state === "waiting") {
      const { approval } = followed;
      const statusMessage = waitingWords(approval.teams, approval.expiresAt.toISOString(), approval.link);
      if (!handle.asks || (await deps.used.isUsed(handle.id))) return task(taskId, handle, { status: "working", statusMessage });
      const outcome = { ...approval, type: "waiting", actionId: handle.action, approvalId: approval.id, reason: "" } as const;
      const asked = approvalElicitation({ ...outcome, expiresAt: approval.expiresAt.toISOString() }, caller, handle.tool);
      return task(taskId, handle, { status: "input_required", statusMessage, inputRequests: { [inputKey]: asked } });
    }
    const { outcome } = followed;
    const lastUpdatedAt = deps.now().toISOString();
    if (outcome.type === "denied" && outcome.code === "approval-cancelled") {
      return task(taskId, handle, { status: "cancelled", statusMessage: outcome.reason, lastUpdatedAt });
    }
    const result: JsonObject = { ...resultOf(outcome, deps.structured(followed.tool)), resultType: "complete" };
    if (outcome.type === "failed" && outcome.code === "cancelled")
      return task(taskId, handle, { status: "cancelled", statusMessage: outcome.reason, lastUpdatedAt });
    return task(taskId, handle, { status: "completed", statusMessage: endWords[outcome.type] ?? "It has ended.", lastUpdatedAt, result });
  }

  return {
    create(outcome, caller, { tool, openUrls }) {
      const now = deps.now();
      const ttlMs = new Date(outcome.expiresAt).getTime() + keptMs - now.getTime();
      const { actionId: action, approvalId: approval } = outcome;
      const handle = { createdAt: now.toISOString(), ttlMs, action, approval, tool, asks: openUrls };
      const taskId = deps.states.seal(bindingOf(caller), handle, new Date(now.getTime() + ttlMs));
      const statusMessage = waitingWords(outcome.teams, outcome.expiresAt, outcome.link);
      return { resultType: "task", ...task(taskId, handle, { status: "working", statusMessage }), _meta: { "remit/action": action } };
    },

    began(action, caller, tool) {
      const now = deps.now();
      const ttlMs = longestMs + keptMs;
      const handle = { createdAt: now.toISOString(), ttlMs, action, approval: null, tool, asks: false };
      const taskId = deps.states.seal(bindingOf(caller), handle, new Date(now.getTime() + ttlMs));
      const statusMessage = deps.running.look(action)?.statusMessage ?? worksWords;
      return { resultType: "task", ...task(taskId, handle, { status: "working", statusMessage }), _meta: { "remit/action": action } };
    },

    ask: (action, request, signal) => deps.running.ask(action, request, signal),

    async get(taskId, caller) {
      const found = await find(taskId, caller);
      if (found === null) return null;
      return { resultType: "complete", ...(await describe(found.taskId, found.handle, found.followed, caller)) };
    },

    async update(taskId, caller, inputResponses) {
      const handle = open(taskId, caller);
      if (handle === null) return null;
      if (isObject(inputResponses)) deps.running.answer(handle.action, inputResponses);
      // Opened, declined or dismissed: it has been put before somebody, and is not put again. The decision is made on the page.
      if (isObject(inputResponses) && isObject(inputResponses[inputKey])) {
        await deps.used.use(handle.id, new Date(Date.parse(handle.createdAt) + handle.ttlMs));
      }
      return { resultType: "complete" };
    },

    async cancel(taskId, caller) {
      const handle = open(taskId, caller);
      if (handle === null) return null;
      const end = { reason: `${caller.agent} does not want it any more.`, actor: `agent:${caller.agent}` };
      if (handle.approval !== null) await deps.approvals.withdrawRequest(handle.approval, end);
      await deps.running.cancel(handle.action, end.actor);
      return { resultType: "complete" };
    },
  };
}

/** A task is followed by requests of their own, so it is bound to no request. */
function bindingOf(caller: Caller): { kind: string; principal: string; digest: string } {
  return { kind, principal: principalOf(caller), digest: "" };
}

function waitingWords(teams: readonly string[], expiresAt: string, link: string): string {
  return `Waits for approval by ${teams.join(" and ")} until ${expiresAt}; they decide at ${link}. Once approved, Remit carries it out by itself, exactly once.`;
}

const worksWords = "The upstream works at it.";

const endWords: Partial<Record<string, string>> = {
  succeeded: "Carried out.",
  failed: "Carrying it out failed.",
  denied: "Not carried out.",
};
