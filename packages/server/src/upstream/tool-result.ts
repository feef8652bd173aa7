import type { JsonObject, ToolResult } from "@remit/contract";
import { RemitError } from "@remit/contract";
import { isObject } from "./connection.ts";

/**
 * A raw result of `tools/call` as a tool result: its members as they came, unknown ones included.
 * @throws RemitError `upstream-error`
 */
export function toolResultOf(upstream: string, raw: JsonObject): ToolResult {
  const { resultType, ...result } = raw;
  if (resultType !== undefined && resultType !== "complete") {
    const what = resultType === "input_required" ? "asks for input, which Remit does not carry" : "gave back a result of an unknown type";
    throw new RemitError("upstream-error", `upstream "${upstream}" ${what}`);
  }
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
