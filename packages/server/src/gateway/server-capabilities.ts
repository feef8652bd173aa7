import type { Caller, JsonObject } from "@remit/contract";
import type { Upstreams } from "../upstream/upstreams.ts";
import type { UpstreamLists } from "./upstream-lists.ts";

/** What can be done at an address, for one caller: what an upstream can do and the agent may. One that is away is believed able. */
export function serverCapabilities(
  deps: { lists: Pick<UpstreamLists, "usable">; upstreams: Pick<Upstreams, "capabilities"> },
  caller: Caller,
  address: string | null,
): JsonObject {
  const able = (operation: string, capability: string): boolean =>
    deps.lists.usable(caller, address, operation).some((upstream) => {
      const said = deps.upstreams.capabilities(upstream);
      return said === null || said[capability] !== undefined;
    });
  const resources = able("mcp.resources.read", "resources");
  return {
    tools: { listChanged: true },
    ...(resources ? { resources: { listChanged: true, subscribe: able("mcp.resources.subscribe", "resources") } } : {}),
    ...(able("mcp.prompts.get", "prompts") ? { prompts: { listChanged: true } } : {}),
    ...(able("mcp.completion.complete", "completions") ? { completions: {} } : {}),
    logging: {},
  };
}
