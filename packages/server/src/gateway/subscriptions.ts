import type { ActionOutcome, Caller, JsonObject } from "@remit/contract";
import { qualifiedToolName } from "@remit/contract";
import type { ActionPath } from "../action/action-path.ts";
import { metaKeys, rpcCodes } from "../mcp/mcp-protocol.ts";
import type { UpstreamNotice, Upstreams } from "../upstream/upstreams.ts";
import type { Exchange } from "./exchange.ts";
import { addressOf, refuseOutcome } from "./operation-call.ts";
import type { Refusal } from "./refusal.ts";
import { refuse } from "./refusal.ts";
import { sharedUri } from "./resource-names.ts";
import type { RpcRequest } from "./rpc-message.ts";
import { isObject } from "./rpc-message.ts";
import type { Session } from "./sessions.ts";
import type { UpstreamLists } from "./upstream-lists.ts";

/** What clients want to be told of: lists that change, resources that are updated. */
export type Subscriptions = {
  /** `resources/subscribe` and `resources/unsubscribe` of a session. */
  subscribe(message: RpcRequest, exchange: Exchange, session: Session): Promise<string | Refusal>;
  unsubscribe(message: RpcRequest, exchange: Exchange, session: Session): string | Refusal;
  /** `subscriptions/listen`: lasts until the client goes, its token ends, or the server stops. */
  listen(message: RpcRequest, exchange: Exchange): Promise<string | Refusal>;
  /** Tells a session of its lists, for as long as it lasts. */
  follow(session: Session, caller: Caller): void;
  /** What tools there are may have changed for everybody. */
  toolsChanged(): void;
  close(): void;
};

const listOperation: Readonly<Record<string, string | null>> = {
  "notifications/tools/list_changed": null,
  "notifications/prompts/list_changed": "mcp.prompts.get",
  "notifications/resources/list_changed": "mcp.resources.read",
};
const wantedBy: Readonly<Record<string, string>> = {
  toolsListChanged: "notifications/tools/list_changed",
  promptsListChanged: "notifications/prompts/list_changed",
  resourcesListChanged: "notifications/resources/list_changed",
};

/** An upstream that says it a thousand times is passed on once in so many milliseconds. */
const coalesceMs = 50;
const maxListeners = 2_000;
const maxResources = 256;

type Said = { method: string; params: JsonObject };
type Listener = (notice: UpstreamNotice) => void;

export function createSubscriptions(deps: {
  path: Pick<ActionPath, "act" | "couldAct">;
  upstreams: Pick<Upstreams, "onNotice" | "watch">;
  lists: Pick<UpstreamLists, "usable">;
  now: () => Date;
}): Subscriptions {
  const listeners = new Set<Listener>();
  const streams = new Set<() => void>();
  const offNotices = deps.upstreams.onNotice((notice) => {
    for (const listener of listeners) listener(notice);
  });

  /** A watch on a resource, as an action: decided and recorded, and open for as long as what is returned is not called. */
  async function watch(
    { caller, signal }: Exchange,
    upstream: string,
    uri: string,
  ): Promise<(() => void) | Exclude<ActionOutcome, { type: "succeeded" }>> {
    const ends: (() => void)[] = [];
    const end = (): void => {
      for (const one of ends) one();
    };
    const outcome = await deps.path.act(caller, {
      tool: qualifiedToolName(upstream, "mcp.resources.subscribe"),
      arguments: { uri },
      signal: signal.signal,
      perform: async () => {
        ends.push(await deps.upstreams.watch(upstream, uri));
        return { content: [], structuredContent: {} };
      },
    });
    if (outcome.type === "succeeded") return end;
    end();
    return outcome;
  }

  /** Sends each message once in a while, however often it is said. */
  function coalesced(send: (said: Said) => void): { say(key: string, said: Said): void; stop(): void } {
    const soon = new Map<string, NodeJS.Timeout>();
    return {
      say(key, said) {
        if (soon.has(key)) return;
        soon.set(
          key,
          setTimeout(() => {
            soon.delete(key);
            send(said);
          }, coalesceMs),
        );
      },
      stop() {
        for (const timer of soon.values()) clearTimeout(timer);
      },
    };
  }

  function concerns(caller: Caller, address: string | null, { upstream, method }: UpstreamNotice): boolean {
    if (address !== null && address !== upstream && upstream !== everywhere) return false;
    const operation = listOperation[method];
    return operation === null || (operation !== undefined && deps.lists.usable(caller, address ?? upstream, operation).length > 0);
  }

  /** What is told is read: it is decided again each time. */
  function mayHear(caller: Caller, upstream: string, uri: string): boolean {
    try {
      return deps.path.couldAct(caller, qualifiedToolName(upstream, "mcp.resources.subscribe"), { uri });
    } catch {
      return false;
    }
  }

  function refuseFull(): Refusal {
    return refuse(200, rpcCodes.internalError, `This server has ${maxListeners} subscriptions open, which is all that it holds`);
  }

  return {
    async subscribe(message, exchange, session) {
      const addressed = addressOf(message, exchange.address.upstream);
      if (addressed.type === "refusal") return addressed;
      if (listeners.size >= maxListeners) return refuseFull();
      const { upstream, name: uri } = addressed;
      const watched = await watch(exchange, upstream, uri);
      if (typeof watched !== "function") return refuseOutcome(watched, false);
      const shown = exchange.address.upstream === null ? sharedUri(upstream, uri) : uri;
      const { caller } = exchange;
      const soon = coalesced((said) => session.send({ jsonrpc: "2.0", ...said }));
      const listener: Listener = (notice) => {
        if (notice.upstream !== upstream || notice.method !== "notifications/resources/updated" || notice.params["uri"] !== uri) return;
        if (mayHear(caller, upstream, uri)) soon.say(uri, { method: notice.method, params: { uri: shown } });
      };
      listeners.add(listener);
      session.keep(`resource ${shown}`, () => {
        listeners.delete(listener);
        soon.stop();
        watched();
      });
      return "{}";
    },

    unsubscribe(message, _exchange, session) {
      const { uri } = message.params;
      if (typeof uri !== "string") return refuse(200, rpcCodes.invalidParams, "Invalid params: uri must be text");
      session.release(`resource ${uri}`);
      return "{}";
    },

    follow(session, caller) {
      const soon = coalesced((said) => session.send({ jsonrpc: "2.0", ...said }));
      const listener: Listener = (notice) => {
        if (Object.hasOwn(listOperation, notice.method) && isConcern(notice))
          soon.say(notice.method, { method: notice.method, params: {} });
      };
      const isConcern = (notice: UpstreamNotice): boolean => {
        try {
          return concerns(caller, session.upstream, notice);
        } catch {
          return false;
        }
      };
      listeners.add(listener);
      session.keep("lists", () => {
        listeners.delete(listener);
        soon.stop();
      });
    },

    async listen(message, exchange) {
      const { caller, address, stream, signal } = exchange;
      const { notifications } = message.params;
      if (!isObject(notifications)) return refuse(400, rpcCodes.invalidParams, "Invalid params: notifications must be an object");
      if (listeners.size >= maxListeners) return refuseFull();
      const wanted = notifications["resourceSubscriptions"] ?? [];
      if (!Array.isArray(wanted) || wanted.length > maxResources || !wanted.every((uri) => typeof uri === "string")) {
        return refuse(400, rpcCodes.invalidParams, `Invalid params: resourceSubscriptions must be at most ${maxResources} URIs`);
      }
      const methods = new Set<string>();
      const agreed: JsonObject = {};
      for (const [flag, method] of Object.entries(wantedBy)) {
        if (notifications[flag] !== true) continue;
        const operation = listOperation[method];
        if (typeof operation === "string" && deps.lists.usable(caller, address.upstream, operation).length === 0) continue;
        methods.add(method);
        agreed[flag] = true;
      }
      const ends: (() => void)[] = [];
      const resources = new Map<string, string>();
      for (const uri of wanted) {
        const addressed = addressOf({ ...message, method: "resources/subscribe", params: { uri } }, address.upstream);
        if (addressed.type === "refusal") continue;
        const watched = await watch(exchange, addressed.upstream, addressed.name);
        // What is not agreed to is left out of the acknowledgment, as the protocol has it.
        if (typeof watched !== "function") continue;
        ends.push(watched);
        resources.set(`${addressed.upstream} ${addressed.name}`, uri);
      }
      if (wanted.length > 0) agreed["resourceSubscriptions"] = [...resources.values()];

      const tag = { [metaKeys.subscriptionId]: message.id };
      const send = (method: string, params: JsonObject): boolean =>
        stream.send({ jsonrpc: "2.0", method, params: { ...params, _meta: tag } });
      if (!send("notifications/subscriptions/acknowledged", { notifications: agreed })) {
        for (const end of ends) end();
        return refuse(
          406,
          rpcCodes.invalidRequest,
          "Invalid request: subscriptions/listen answers with a stream; accept text/event-stream",
        );
      }
      const soon = coalesced((said) => void send(said.method, said.params));
      const listener: Listener = (notice) => {
        if (methods.has(notice.method) && concerns(caller, address.upstream, notice)) {
          soon.say(notice.method, { method: notice.method, params: {} });
        }
        if (notice.method !== "notifications/resources/updated") return;
        const { uri } = notice.params;
        if (typeof uri !== "string") return;
        const shown = resources.get(`${notice.upstream} ${uri}`);
        if (shown !== undefined && mayHear(caller, notice.upstream, uri)) {
          soon.say(`resource ${shown}`, { method: notice.method, params: { uri: shown } });
        }
      };
      listeners.add(listener);
      await new Promise<void>((resolve) => {
        const ended = (): void => {
          clearTimeout(lapse);
          streams.delete(ended);
          resolve();
        };
        // Whoever listens on has to show a token that is still good.
        const lapse = setTimeout(ended, Math.min(Math.max(caller.expiresAt - deps.now().getTime(), 0), maxTimerMs));
        lapse.unref();
        streams.add(ended);
        signal.signal.addEventListener("abort", ended, { once: true });
        if (signal.signal.aborted) ended();
      });
      listeners.delete(listener);
      soon.stop();
      for (const end of ends) end();
      return JSON.stringify({ resultType: "complete", _meta: tag });
    },

    toolsChanged() {
      for (const listener of listeners) listener({ upstream: everywhere, method: "notifications/tools/list_changed", params: {} });
    },

    close() {
      offNotices();
      for (const end of streams) end();
    },
  };
}

/** No upstream can be called this. */
const everywhere = "*";
const maxTimerMs = 2_000_000_000;
