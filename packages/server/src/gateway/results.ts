import type { Json, JsonObject } from "@remit/contract";
import { metaKeys, remitInfo } from "../mcp/mcp-protocol.ts";

/** A result as JSON text, with what its revision wants of every result. */
export function resultJson(result: JsonObject, stateless: boolean, resultType = "complete"): string {
  return stateless ? markedJson(result, resultType) : JSON.stringify(result);
}

/** A result of the stateless revision as JSON text, with who gives it. */
export function markedJson(result: JsonObject, resultType?: string): string {
  const _meta = { ...(result["_meta"] as JsonObject | undefined), [metaKeys.serverInfo]: remitInfo };
  return JSON.stringify(resultType === undefined ? { ...result, _meta } : { ...result, resultType, _meta });
}

/** A list may change with any halt or registry; a client that shows an old one is refused when it calls. Milliseconds. */
export const listFreshMs = 5_000;

/**
 * How long a client may keep a result: what the upstream says, never longer than we can answer for, and for itself alone. What one agent
 * may read is not another's, whatever the upstream says of its own.
 */
export function freshness(said: Json | undefined, longestMs: number): { ttlMs: number; cacheScope: "private" } {
  const ttlMs = typeof said === "number" && Number.isSafeInteger(said) && said > 0 ? Math.min(said, longestMs) : 0;
  return { ttlMs, cacheScope: "private" };
}
