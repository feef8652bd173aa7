import type { JsonObject } from "@remit/contract";
import { RemitError } from "@remit/contract";
import { statelessVersion } from "../mcp/mcp-protocol.ts";
import type { Connection } from "./connection.ts";
import { isObject } from "./connection.ts";

/** Resources of one upstream that somebody wants to hear of: each asked for once, however many want it, and again after a reconnection. */
export type Watches = {
  /** @throws RemitError when the upstream does not tell of it */
  add(uri: string, connection: Connection, signal: AbortSignal): Promise<() => void>;
  renew(connection: Connection): void;
};

type Watch = { wanted: number; ending: AbortController };

const maxWatches = 1_000;

export function createWatches(upstream: string, onProblem: (error: unknown) => void): Watches {
  const watches = new Map<string, Watch>();
  let current: Connection | null = null;

  async function ask(uri: string, watch: Watch, connection: Connection, signal: AbortSignal): Promise<void> {
    if (connection.protocolVersion !== statelessVersion) {
      await connection.request("resources/subscribe", { uri }, { signal });
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const ended = AbortSignal.any([watch.ending.signal, signal]);
      signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
      const listening = new AbortController();
      watch.ending.signal.addEventListener("abort", () => listening.abort(new Error("nobody wants to hear of it any more")), {
        once: true,
      });
      if (ended.aborted) listening.abort(ended.reason);
      const onNotification = (method: string, params: JsonObject): void => {
        if (method !== "notifications/subscriptions/acknowledged") return;
        const agreed = isObject(params["notifications"]) ? params["notifications"]["resourceSubscriptions"] : undefined;
        if (Array.isArray(agreed) && agreed.includes(uri)) return resolve();
        listening.abort(new Error("not agreed"));
        reject(new RemitError("upstream-error", `upstream "${upstream}" does not tell when ${uri} is updated`));
      };
      connection
        .request("subscriptions/listen", { notifications: { resourceSubscriptions: [uri] } }, { signal: listening.signal, onNotification })
        .then(() => reject(new RemitError("upstream-error", `upstream "${upstream}" ended the subscription`)), reject);
    });
  }

  function end(uri: string, watch: Watch): void {
    watch.wanted -= 1;
    if (watch.wanted > 0) return;
    watches.delete(uri);
    watch.ending.abort();
    if (current !== null && current.protocolVersion !== statelessVersion) {
      current.request("resources/unsubscribe", { uri }, { signal: AbortSignal.timeout(5_000) }).catch(onProblem);
    }
  }

  return {
    async add(uri, connection, signal) {
      current = connection;
      let watch = watches.get(uri);
      if (watch === undefined) {
        if (watches.size >= maxWatches) throw new RemitError("upstream-error", `upstream "${upstream}" is watched in ${maxWatches} places`);
        watch = { wanted: 1, ending: new AbortController() };
        watches.set(uri, watch);
        try {
          await ask(uri, watch, connection, signal);
        } catch (error) {
          if (watches.get(uri) === watch) watches.delete(uri);
          watch.ending.abort();
          throw error;
        }
      } else watch.wanted += 1;
      const mine = watch;
      let ended = false;
      return () => {
        if (ended) return;
        ended = true;
        end(uri, mine);
      };
    },
    renew(connection) {
      current = connection;
      for (const [uri, watch] of watches) ask(uri, watch, connection, AbortSignal.timeout(30_000)).catch(onProblem);
    },
  };
}
