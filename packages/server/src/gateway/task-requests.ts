import type { Caller, JsonObject } from "@remit/contract";
import { decodeHeaderValue } from "../mcp/header-value.ts";
import { rpcCodes, tasksExtension } from "../mcp/mcp-protocol.ts";
import type { ApprovalTasks } from "./approval-tasks.ts";
import { abilitiesOf } from "./client-abilities.ts";
import type { Refusal } from "./refusal.ts";
import { refuse, refuseHeader } from "./refusal.ts";
import type { Headers } from "./revision.ts";
import type { RpcRequest } from "./rpc-message.ts";

/** The requests of the extension; it has no list. */
export const taskMethods: ReadonlySet<string> = new Set(["tasks/get", "tasks/update", "tasks/cancel"]);

/** Answers a request about a task. One that was never made, one that has gone and one of somebody else's are told apart by nobody. */
export async function answerTaskRequest(
  tasks: ApprovalTasks,
  message: RpcRequest,
  { caller, headers }: { caller: Caller; headers: Headers },
): Promise<{ type: "answer"; result: JsonObject } | Refusal> {
  if (!abilitiesOf(message).followTasks) {
    return refuse(400, rpcCodes.missingCapability, `Missing required client capability: ${tasksExtension}`, {
      requiredCapabilities: { extensions: { [tasksExtension]: {} } },
    });
  }
  const { taskId, inputResponses } = message.params;
  if (typeof taskId !== "string") return refuse(200, rpcCodes.invalidParams, "Invalid params: taskId must be text");
  const named = headers["mcp-name"];
  if (typeof named !== "string" || decodeHeaderValue(named) !== taskId) return refuseHeader("Mcp-Name does not name the task of the body");
  const result =
    message.method === "tasks/get"
      ? await tasks.get(taskId, caller)
      : message.method === "tasks/update"
        ? await tasks.update(taskId, caller, inputResponses)
        : await tasks.cancel(taskId, caller);
  return result === null ? refuse(200, rpcCodes.invalidParams, "Unknown task") : { type: "answer", result };
}
