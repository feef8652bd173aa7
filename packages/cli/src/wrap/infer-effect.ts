import type { Effect } from "@remit/contract";
import type { ListedTool } from "./ask-server.ts";

export type InferredEffect = { effect: Effect; why: string };

const reading =
  /^(?:get|list|read|search|find|fetch|describe|show|query|count|view|lookup|check|status|stat|tree|diff|log|explain|echo|ping)(?:$|[_.\-A-Z])/;
const changing =
  /(?:^|[_.-])(?:and_)?(?:set|create|update|delete|remove|write|edit|send|post|put|patch|move|rename|execute|run|exec|install|deploy|merge|push|commit|pay|refund|drop|insert|upload|reset|start|stop|kill)(?:$|[_.-])/i;

/**
 * What a tool probably does. A server's own word for it is not trusted (MCP, ToolAnnotations), so it counts only together with a name
 * that says the same; whatever is in doubt writes. It is a proposal for a person.
 */
export function inferEffect({ name, annotations }: ListedTool): InferredEffect {
  const words = name.replace(/([a-z0-9])([A-Z])/g, "$1_$2");
  if (changing.test(words)) return { effect: "write", why: "its name says that it changes something" };
  const reads = reading.test(words);
  if (reads && annotations.readOnlyHint !== false) return { effect: "read", why: "its name says that it looks" };
  if (annotations.readOnlyHint === true) return { effect: "write", why: "the server says that it only looks, its name does not" };
  return { effect: "write", why: "nothing says what it does" };
}
