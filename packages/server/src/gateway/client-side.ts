import type { JsonObject } from "@remit/contract";
import { metaKeys, rpcCodes } from "../mcp/mcp-protocol.ts";
import type { Refusal } from "./refusal.ts";
import { refuse } from "./refusal.ts";
import type { RpcRequest } from "./rpc-message.ts";
import { isObject, metaOf } from "./rpc-message.ts";
import type { Session } from "./sessions.ts";

/** Who makes a request: how it speaks, what it can be asked for, and how much it wants to be told. */
export type ClientSide = {
  type: "client";
  stateless: boolean;
  capabilities: JsonObject;
  /** Null: it wants no log messages. */
  logLevel: string | null;
  progressToken: string | number | null;
  session: Session | null;
};

/** In the order of their severity (RFC 5424). */
export const logLevels: readonly string[] = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

export function clientSideOf(message: RpcRequest, stateless: boolean, session: Session | null): ClientSide | Refusal {
  const meta = metaOf(message);
  const token = meta["progressToken"] ?? null;
  if (token !== null && typeof token !== "string" && !Number.isSafeInteger(token)) {
    return refuse(stateless ? 400 : 200, rpcCodes.invalidParams, "Invalid params: _meta.progressToken must be text or an integer");
  }
  const progressToken = token as string | number | null;
  if (!stateless) {
    return {
      type: "client",
      stateless,
      capabilities: session?.capabilities ?? {},
      logLevel: session?.logLevel ?? null,
      progressToken,
      session,
    };
  }
  const capabilities = meta[metaKeys.clientCapabilities];
  const logLevel = meta[metaKeys.logLevel] ?? null;
  if (logLevel !== null && (typeof logLevel !== "string" || !logLevels.includes(logLevel))) {
    return refuse(400, rpcCodes.invalidParams, `Invalid params: _meta["${metaKeys.logLevel}"] must be one of ${logLevels.join(", ")}`);
  }
  return { type: "client", stateless, capabilities: isObject(capabilities) ? capabilities : {}, logLevel, progressToken, session: null };
}

/**
 * Members of `_meta` that are of one hop: they are made anew for the next, or (`tracestate`, `baggage`) end here. Those two are words that
 * systems on the agent's side have for each other; an upstream is another's, and is told which trace it is in and nothing more.
 */
const ownMembers = new Set(["progressToken", "traceparent", "tracestate", "baggage"]);
const reserved = ["io.modelcontextprotocol/", "remit/"];

const nothing: JsonObject = {};
const levelAlone = new Map(logLevels.map((level): [string, JsonObject] => [level, { [metaKeys.logLevel]: level }]));

/** What of a request's `_meta` goes along to the upstream. Not to be changed: it may be another's too. */
export function forwardedMeta(message: RpcRequest, logLevel: string | null): JsonObject {
  const meta = metaOf(message);
  const goesAlong = Object.keys(meta).filter((key) => !ownMembers.has(key) && !reserved.some((prefix) => key.startsWith(prefix)));
  if (goesAlong.length === 0) return logLevel === null ? nothing : (levelAlone.get(logLevel) ?? { [metaKeys.logLevel]: logLevel });
  const forwarded: JsonObject = {};
  for (const key of goesAlong) forwarded[key] = meta[key] ?? null;
  if (logLevel !== null) forwarded[metaKeys.logLevel] = logLevel;
  return forwarded;
}
