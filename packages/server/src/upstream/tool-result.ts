import type { InputRequired, JsonObject, ToolResult } from "@remit/contract";
import { RemitError } from "@remit/contract";
import { isObject } from "./connection.ts";

/**
 * A raw result of `tools/call` as a tool result: its members as they came, unknown ones included.
 * @throws RemitError `upstream-error`
 */
export function toolResultOf(upstream: string, raw: JsonObject): ToolResult {
  const asked = inputRequiredOf(upstream, raw);
  if (asked !== null) return asked;
  const { resultType: _resultType, inputRequired: _ours, ...result } = raw;
  const content = result["content"] ?? [];
  if (!Array.isArray(content) || !content.every(isObject)) {
    throw new RemitError("upstream-error", `upstream "${upstream}" gave back a result whose content is no array of objects`);
  }
  if (result["isError"] !== undefined && typeof result["isError"] !== "boolean") {
    throw new RemitError("upstream-error", `upstream "${upstream}" gave back a result whose isError is neither true nor false`);
  }
  if (result["_meta"] !== undefined && !isObject(result["_meta"])) {
    throw new RemitError("upstream-error", `upstream "${upstream}" gave back a result whose _meta is no object`);
  }
  return { ...result, content };
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

const askable = new Set(["elicitation/create", "sampling/createMessage", "roots/list"]);
const maxQuestions = 32;

function inputRequiredOf(upstream: string, raw: JsonObject): ToolResult | null {
  const { resultType, inputRequests, requestState } = raw;
  if (resultType === undefined || resultType === "complete") return null;
  const refused = (what: string) => new RemitError("upstream-error", `upstream "${upstream}" ${what}`);
  if (resultType !== "input_required") throw refused("gave back a result of an unknown type");
  if (requestState !== undefined && typeof requestState !== "string") throw refused("asks for input with a requestState that is no text");
  if (inputRequests !== undefined) {
    if (!isObject(inputRequests)) throw refused("asks for input in a way that cannot be read");
    const questions = Object.values(inputRequests);
    if (questions.length > maxQuestions) throw refused(`asks more than ${maxQuestions} things at once`);
    for (const question of questions) {
      const method = isObject(question) ? question["method"] : undefined;
      if (typeof method !== "string" || !askable.has(method)) throw refused("asks for something that no client can be asked for");
    }
  }
  if ((inputRequests === undefined || Object.keys(inputRequests).length === 0) && requestState === undefined)
    throw refused("asks for input without saying what for");
  const inputRequired: InputRequired = {
    ...(inputRequests === undefined ? {} : { inputRequests }),
    ...(requestState === undefined ? {} : { requestState }),
  };
  return { content: [], inputRequired };
}
