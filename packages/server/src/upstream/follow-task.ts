import { setTimeout as delay } from "node:timers/promises";
import type { JsonObject } from "@remit/contract";
import { RemitError } from "@remit/contract";
import { metaKeys, rpcCodes } from "../mcp/mcp-protocol.ts";
import { RpcError } from "../mcp/rpc-error.ts";
import type { RequestOptions, ServerRequest } from "./connection.ts";
import { isObject } from "./connection.ts";
import { SessionExpired } from "./http-channel.ts";
import { askable, inputRequestsOf } from "./input-requests.ts";
import { printable } from "../log/printable.ts";

/** What an upstream says of its work at a call, in the words of either revision. */
export type TaskState = { id: string; status: string; statusMessage: string | null; pollMs: number | null; raw: JsonObject };

export type FollowOptions = {
  upstream: string;
  /** Whether the upstream is spoken to statelessly, by the extension; else by the experimental tasks of 2025-11-25. */
  stateless: boolean;
  /** Ends with the caller or when the time is up; the upstream is then told. */
  signal: AbortSignal;
  /** No single question of how it stands takes longer. Milliseconds. */
  pollTimeoutMs: number;
  request: (method: string, params: JsonObject, options: RequestOptions) => Promise<JsonObject>;
  /** Whose credentials are shown. */
  by: RequestOptions["by"];
  /** Answers what the upstream asks while it works. Null: nobody is there. */
  ask: ((request: ServerRequest, signal: AbortSignal) => Promise<JsonObject>) | null;
  /** Told when the upstream says something new of how it stands. */
  onStatus: (message: string) => void;
};

const defaultPollMs = 1_000;
const minPollMs = 100;
const maxPollMs = 30_000;
const cancelWithinMs = 5_000;

/** The task that stands in for a result; null where it is none. @throws RemitError `upstream-error` */
export function taskOf(upstream: string, raw: JsonObject, stateless: boolean): TaskState | null {
  if (stateless) return raw["resultType"] === "task" ? stateOf(upstream, raw) : null;
  return isObject(raw["task"]) ? stateOf(upstream, raw["task"]) : null;
}

/**
 * Asks an upstream how its task stands until it has ended, and gives what the call would have given. That the upstream cannot be reached
 * for a while ends nothing: the task is durable, so it is asked again. Giving up, or a halt, cancels it.
 */
export async function followTask(created: TaskState, options: FollowOptions): Promise<JsonObject> {
  const { upstream, stateless, signal, request, by } = options;
  const answered = new Set<string>();
  const params = { taskId: created.id };
  let told = created.statusMessage;
  let unreachable = 0;
  let pollMs = created.pollMs ?? defaultPollMs;

  async function answerQuestions({ raw }: TaskState): Promise<void> {
    const asked = Object.entries(inputRequestsOf(upstream, raw["inputRequests"])).filter(([key]) => !answered.has(key));
    if (asked.length === 0) return;
    const { ask } = options;
    if (ask === null)
      throw nobodyToAsk(
        upstream,
        asked.map(([, question]) => question.method),
      );
    const answers = await Promise.all(
      asked.map(async ([key, question]): Promise<[string, JsonObject]> => [key, await ask(question, signal)]),
    );
    // One key is one question for as long as the task lives.
    for (const [key] of asked) answered.add(key);
    await request("tasks/update", { ...params, inputResponses: Object.fromEntries(answers) }, polling());
  }

  function polling(): RequestOptions {
    return { signal: AbortSignal.any([signal, AbortSignal.timeout(options.pollTimeoutMs)]), by };
  }

  /** The result, once there is one; else null. */
  async function step(task: TaskState): Promise<JsonObject | null> {
    if (task.statusMessage !== null && task.statusMessage !== told) options.onStatus((told = task.statusMessage));
    switch (task.status) {
      case "working":
        return null;
      case "input_required":
        if (stateless) {
          await answerQuestions(task);
          return null;
        }
        // Asked for its result, an upstream of the handshake asks its questions, and answers when it has ended.
        return await request("tasks/result", params, {
          signal,
          by,
          onServerRequest: options.ask === null ? undefined : askWith(options.ask),
        });
      case "completed":
        return stateless ? resultOf(upstream, task) : await request("tasks/result", params, polling());
      case "failed":
        if (!stateless) return await request("tasks/result", params, polling());
        throw failureOf(upstream, task);
      case "cancelled":
        throw cancelledByItself(upstream, task);
      default:
        throw new RemitError(
          "upstream-error",
          `upstream "${upstream}" says that its task is ${JSON.stringify(task.status.slice(0, 50))}, which is nothing known`,
        );
    }
  }

  async function poll(): Promise<JsonObject | null> {
    const said = await request("tasks/get", params, polling());
    unreachable = 0;
    const task = stateOf(upstream, said);
    if (task.pollMs !== null) ({ pollMs } = task as { pollMs: number });
    return await step(task);
  }

  try {
    let result = await step(created);
    while (result === null) {
      // The more often it could not be reached, the more seldom it is asked.
      await delay(Math.min(clamped(pollMs) * 2 ** Math.min(unreachable, 8), maxPollMs), undefined, { signal });
      try {
        result = await poll();
      } catch (error) {
        if (signal.aborted || !mayPass(error)) throw error;
        unreachable += 1;
      }
    }
    return withoutTask(result);
  } catch (error) {
    // Whatever the reason: nobody waits for it any more.
    if (signal.aborted || !isAboutTheTask(error)) cancel();
    if (signal.aborted) throw signal.reason;
    if (error instanceof SessionExpired) throw forgotten(upstream, "it forgot the session in which it works");
    if (
      RemitError.is(error) &&
      error.cause instanceof RpcError &&
      error.cause.code === rpcCodes.invalidParams &&
      unknownTask.test(error.message)
    )
      throw forgotten(upstream, error.cause.message);
    throw error;
  }

  function cancel(): void {
    request("tasks/cancel", params, { signal: AbortSignal.timeout(cancelWithinMs), by }).catch(() => undefined);
  }
}

const unknownTask = /task/i;

function askWith(ask: NonNullable<FollowOptions["ask"]>): NonNullable<RequestOptions["onServerRequest"]> {
  return async (question, signal) => {
    if (!askable.has(question.method)) throw new RpcError(rpcCodes.methodNotFound, `Method not found: ${question.method}`);
    return await ask(question, signal);
  };
}

/** Whether the same question may well be answered the next time. */
function mayPass(error: unknown): boolean {
  if (!RemitError.is(error)) return error instanceof DOMException;
  return !["upstream-error", "cancelled", "credential-missing"].includes(error.code);
}

/** Said by the upstream of a task that has ended already, or that it does not know: there is nothing to cancel. */
function isAboutTheTask(error: unknown): boolean {
  return (
    RemitError.is(error) &&
    error.code === "upstream-error" &&
    !(error.cause instanceof RpcError && error.cause.code === rpcCodes.missingCapability)
  );
}

function stateOf(upstream: string, task: JsonObject): TaskState {
  const { taskId, status, statusMessage } = task;
  const poll = task["pollIntervalMs"] ?? task["pollInterval"];
  if (typeof taskId !== "string" || taskId === "" || taskId.length > 4_096 || typeof status !== "string") {
    throw new RemitError("upstream-error", `upstream "${upstream}" says of its task what cannot be read`);
  }
  return {
    id: taskId,
    status,
    statusMessage: typeof statusMessage === "string" ? printable(statusMessage).slice(0, 500) : null,
    pollMs: typeof poll === "number" && Number.isFinite(poll) && poll > 0 ? poll : null,
    raw: task,
  };
}

function clamped(pollMs: number): number {
  return Math.min(Math.max(pollMs, minPollMs), maxPollMs);
}

function resultOf(upstream: string, { raw }: TaskState): JsonObject {
  const { result } = raw;
  if (!isObject(result)) throw new RemitError("upstream-error", `upstream "${upstream}" ended its task without a result`);
  // A task asks in its own way, and what has ended asks no more.
  if (result["resultType"] !== undefined && result["resultType"] !== "complete")
    throw new RemitError("upstream-error", `upstream "${upstream}" ended its task with what is no result`);
  return result;
}

function failureOf(upstream: string, { raw }: TaskState): RemitError {
  const { code, message, data } = isObject(raw["error"]) ? raw["error"] : {};
  const text = typeof message === "string" ? printable(message).slice(0, 1_000) : "no message";
  const cause = new RpcError(Number.isSafeInteger(code) ? (code as number) : rpcCodes.internalError, text, data);
  return new RemitError("upstream-error", `upstream "${upstream}" ended its task with error ${cause.code}: ${text}`, { cause });
}

function cancelledByItself(upstream: string, { statusMessage }: TaskState): RemitError {
  if (statusMessage === null) return new RemitError("upstream-error", `upstream "${upstream}" cancelled its task`);
  const cause = new Error(statusMessage);
  return new RemitError("upstream-error", `upstream "${upstream}" cancelled its task: ${statusMessage}`, { cause });
}

function forgotten(upstream: string, why: string): RemitError {
  return new RemitError(
    "outcome-unknown",
    `upstream "${upstream}" no longer knows of the task that it made of the call (${why}); whether it was done is not known`,
  );
}

function nobodyToAsk(upstream: string, methods: readonly string[]): RemitError {
  const cause = new RpcError(
    rpcCodes.missingCapability,
    `The upstream asks for what nobody here can be asked: ${[...new Set(methods)].join(", ")}`,
  );
  return new RemitError(
    "upstream-error",
    `upstream "${upstream}" asks ${methods.join(", ")} for its task, and nobody is there who can be asked`,
    { cause },
  );
}

/** Without the upstream's own id of the task, which is nobody else's. */
function withoutTask(result: JsonObject): JsonObject {
  if (!isObject(result["_meta"])) return result;
  const { [metaKeys.relatedTask]: _related, ...meta } = result["_meta"];
  const { _meta, ...rest } = result;
  return Object.keys(meta).length === 0 ? rest : { ...rest, _meta: meta };
}
