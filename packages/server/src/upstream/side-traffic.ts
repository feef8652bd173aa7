import type { JsonObject } from "@remit/contract";
import { TransientMap } from "@remit/core";
import { metaKeys, rpcCodes } from "../mcp/mcp-protocol.ts";
import { RpcError } from "../mcp/rpc-error.ts";
import type { RequestOptions } from "./connection.ts";
import { isObject } from "./connection.ts";

/** What an upstream says beside its answers: which of our requests it belongs to, and who hears what belongs to none. */
export type SideTraffic = {
  /** A request of ours that runs, until it is untracked. */
  track(id: number, options: RequestOptions): void;
  untrack(id: number): void;
  /** A notification or a request, with the request in whose stream it came, where the transport tells. */
  receive(message: JsonObject, within?: RequestOptions): void;
  onNotification(listener: (method: string, params: JsonObject) => void): void;
  /** Answers what is asked while no request runs that it could belong to. Only on a connection that is one client's alone. */
  answerBeside(handler: NonNullable<RequestOptions["onServerRequest"]>): void;
};

type Id = string | number;

const never = new AbortController().signal;

/** More that is asked and not answered at a time is no conversation. */
const maxAsks = 64;

/**
 * @param exclusive whether the connection is one client's alone. Only then may what names no request be taken to belong to one: on a
 *   shared connection a guess could show one agent's question to another.
 */
export function createSideTraffic(deps: { exclusive: boolean; answer: (message: JsonObject) => void }): SideTraffic {
  const running = new TransientMap<number, RequestOptions>();
  const asks = new Map<Id, AbortController>();
  const listeners: ((method: string, params: JsonObject) => void)[] = [];
  let beside: RequestOptions | undefined;

  /** The request that a notification names: by its progress token or its subscription. */
  function named(params: JsonObject): RequestOptions | undefined {
    const token = params["progressToken"] ?? (isObject(params["_meta"]) ? params["_meta"][metaKeys.subscriptionId] : undefined);
    return typeof token === "number" ? running.get(token) : undefined;
  }

  /** The newest request that listens: on a connection of one client's it is the best guess, and harms nobody. */
  function newest(member: "onNotification" | "onServerRequest"): RequestOptions | undefined {
    return deps.exclusive ? running.values().findLast((options) => options[member] !== undefined) : undefined;
  }

  async function answer(id: Id, method: string, params: JsonObject, options: RequestOptions | undefined): Promise<void> {
    const asking = new AbortController();
    try {
      if (asks.has(id)) throw new RpcError(rpcCodes.invalidRequest, `The id ${JSON.stringify(id)} is already waiting for an answer`);
      if (asks.size >= maxAsks) throw new RpcError(rpcCodes.internalError, "Too many questions wait for an answer");
      if (method === "ping") return deps.answer({ jsonrpc: "2.0", id, result: {} });
      if (options?.onServerRequest === undefined) throw new RpcError(rpcCodes.methodNotFound, "Remit answers no such request here");
      asks.set(id, asking);
      const signal = AbortSignal.any([asking.signal, options.signal]);
      deps.answer({ jsonrpc: "2.0", id, result: await options.onServerRequest({ method, params }, signal) });
    } catch (error) {
      const told = error instanceof RpcError ? error : new RpcError(rpcCodes.internalError, "The question could not be answered");
      deps.answer({ jsonrpc: "2.0", id, error: told.toJson() });
    } finally {
      if (asks.get(id) === asking) asks.delete(id);
    }
  }

  return {
    track: (id, options) => running.set(id, options),
    untrack: (id) => void running.delete(id),
    receive(message, within) {
      const { method, id } = message;
      const params = isObject(message["params"]) ? message["params"] : {};
      if (typeof method !== "string") return;
      if (typeof id === "string" || typeof id === "number") {
        void answer(id, method, params, within ?? newest("onServerRequest") ?? beside);
        return;
      }
      if (method === "notifications/cancelled") {
        const asked = params["requestId"];
        if (typeof asked === "string" || typeof asked === "number")
          asks.get(asked)?.abort(new Error("the upstream took its question back"));
        return;
      }
      const scoped = method === "notifications/progress" || method === "notifications/message";
      const to = named(params) ?? (scoped ? (within ?? newest("onNotification")) : within);
      if (to?.onNotification !== undefined) to.onNotification(method, params);
      if (!scoped) for (const listener of listeners) listener(method, params);
    },
    onNotification: (listener) => void listeners.push(listener),
    answerBeside(handler) {
      if (deps.exclusive) beside = { signal: never, onServerRequest: handler };
    },
  };
}
