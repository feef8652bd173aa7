import type { InputRequired, JsonObject, ToolResult } from "@remit/contract";
import { RemitError } from "@remit/contract";
import { isObject } from "./connection.ts";
import { inputRequestsOf } from "./input-requests.ts";

/**
 * A raw result of `tools/call` as a tool result: its members as they came, unknown ones included.
 * @throws RemitError `upstream-error`
 */
export function toolResultOf(upstream: string, raw: JsonObject): ToolResult {
  const asked = inputRequiredOf(upstream, raw);
  if (asked !== null) return asked;
  const { resultType: _resultType, inputRequired: _ours, ...result } = raw;
  if (isObject(result["task"]) && result["content"] === undefined)
    throw new RemitError("upstream-error", `upstream "${upstream}" made a task of a call that asked for none`);
  const content = (result["content"] ??= []);
  if (!Array.isArray(content) || !content.every(isObject)) {
    throw new RemitError("upstream-error", `upstream "${upstream}" gave back a result whose content is no array of objects`);
  }
  if (result["isError"] !== undefined && typeof result["isError"] !== "boolean") {
    throw new RemitError("upstream-error", `upstream "${upstream}" gave back a result whose isError is neither true nor false`);
  }
  if (result["_meta"] !== undefined && !isObject(result["_meta"])) {
    throw new RemitError("upstream-error", `upstream "${upstream}" gave back a result whose _meta is no object`);
  }
  return result as ToolResult;
}

/**
 * A raw result of any other operation, whole, as structured content: so what policy redacts of it is found by pointer.
 * @throws RemitError `upstream-error`
 */
export function operationResultOf(upstream: string, raw: JsonObject): ToolResult {
  const asked = inputRequiredOf(upstream, raw);
  if (asked !== null) return asked;
  const { resultType: _resultType, ...result } = raw;
  return { content: [], structuredContent: result };
}

function inputRequiredOf(upstream: string, raw: JsonObject): ToolResult | null {
  const { resultType, inputRequests, requestState } = raw;
  if (resultType === undefined || resultType === "complete") return null;
  const refused = (what: string) => new RemitError("upstream-error", `upstream "${upstream}" ${what}`);
  if (resultType !== "input_required") throw refused("gave back a result of an unknown type");
  if (requestState !== undefined && typeof requestState !== "string") throw refused("asks for input with a requestState that is no text");
  const questions = inputRequestsOf(upstream, inputRequests);
  if (Object.keys(questions).length === 0 && requestState === undefined) throw refused("asks for input without saying what for");
  const inputRequired: InputRequired = {
    ...(isObject(inputRequests) ? { inputRequests } : {}),
    ...(requestState === undefined ? {} : { requestState }),
  };
  return { content: [], inputRequired };
}
