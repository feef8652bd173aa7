import type { JsonObject, UpstreamSpec } from "@remit/contract";
import { RemitError } from "@remit/contract";
import type { Connection } from "../upstream/connection.ts";
import { hookTools } from "./hook-tools.ts";

/**
 * The built-in tools of coding agents as an upstream. Carrying out a call is handing it back: the agent's own program does it, on its
 * own machine, after this answer. So that a call succeeded says that it was handed over, and no more.
 */
export function connectHook(spec: UpstreamSpec): Connection {
  const closedListeners: ((reason: string) => void)[] = [];
  let closed: string | null = null;
  return {
    protocolVersion: "hook",
    capabilities: { tools: {} },
    speaksHandshake: false,
    async request(method, params, { signal }): Promise<JsonObject> {
      signal.throwIfAborted();
      if (method === "tools/list") return { tools: [...hookTools] };
      const known = method === "tools/call" && hookTools.some(({ name }) => name === params["name"]);
      if (!known) throw new RemitError("upstream-error", `upstream "${spec.name}" is a coding agent's hook and has no such tool or method`);
      return {
        content: [{ type: "text", text: "Handed over: the coding agent carries it out." }],
        structuredContent: { handedOver: true },
      };
    },
    notify: () => undefined,
    onNotification: () => undefined,
    answerBeside: () => undefined,
    onClosed(listener) {
      if (closed === null) closedListeners.push(listener);
      else listener(closed);
    },
    stderr: () => [],
    async close() {
      if (closed !== null) return;
      closed = "it was closed";
      for (const listener of closedListeners) listener(closed);
    },
  };
}
