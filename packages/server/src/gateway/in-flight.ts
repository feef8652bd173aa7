import { TransientMap } from "@remit/core";
import type { RpcId } from "./refusal.ts";

/** Calls that run, so that a client of the handshake revisions can cancel one by its id. */
export type InFlight = {
  /** @param owner the session, or the token where there is none. Returns what takes it out again. */
  add(owner: string, id: RpcId, controller: AbortController): () => void;
  cancel(owner: string, id: unknown): void;
};

export function createInFlight(): InFlight {
  /** Nearly always one of a key. */
  const calls = new TransientMap<string, AbortController[]>();
  const keyOf = (owner: string, id: RpcId) => `${owner} ${typeof id} ${id}`;
  return {
    add(owner, id, controller) {
      const key = keyOf(owner, id);
      const running = calls.get(key);
      if (running === undefined) calls.set(key, [controller]);
      else running.push(controller);
      return () => {
        const left = calls.get(key)?.filter((one) => one !== controller) ?? [];
        if (left.length === 0) calls.delete(key);
        else calls.set(key, left);
      };
    },
    cancel(owner, id) {
      if (typeof id !== "string" && typeof id !== "number") return;
      const running = calls.get(keyOf(owner, id));
      // Two clients of one token may count alike. Cancelling somebody else's call is worse than cancelling none.
      if (running?.length === 1) running[0]?.abort();
    },
  };
}
