import type { JsonObject } from "@remit/contract";
import { metaKeys, tasksExtension } from "../mcp/mcp-protocol.ts";
import type { RpcRequest } from "./rpc-message.ts";
import { isObject, metaOf } from "./rpc-message.ts";

/** What a client of the stateless revision says, with each request, that it can do about a call that waits. */
export type ClientAbilities = { openUrls: boolean; followTasks: boolean };

export function abilitiesOf(message: RpcRequest): ClientAbilities {
  const declared = metaOf(message)[metaKeys.clientCapabilities];
  const capabilities: JsonObject = isObject(declared) ? declared : {};
  const { elicitation, extensions } = capabilities;
  return {
    // `elicitation: {}` means forms only.
    openUrls: isObject(elicitation) && isObject(elicitation["url"]),
    followTasks: isObject(extensions) && isObject(extensions[tasksExtension]),
  };
}
