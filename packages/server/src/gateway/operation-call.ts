import type { ActionOutcome, JsonObject, Missing } from "@remit/contract";
import { errorTable, operationOfMethod, qualifiedToolName } from "@remit/contract";
import { rpcCodes } from "../mcp/mcp-protocol.ts";
import type { ActionCaller } from "./call-action.ts";
import type { ClientSide } from "./client-side.ts";
import type { Exchange } from "./exchange.ts";
import { resultOf } from "./outcome-result.ts";
import type { Refusal } from "./refusal.ts";
import { refuse, refuseFault } from "./refusal.ts";
import { ownName, ownUri, sharedContent, sharedUri } from "./resource-names.ts";
import { freshness, markedJson, resultJson } from "./results.ts";
import type { RpcRequest } from "./rpc-message.ts";
import { isObject } from "./rpc-message.ts";

/** `resources/read`, `prompts/get` and `completion/complete`: what reads and is no tool. */
export type OperationCaller = (message: RpcRequest, client: ClientSide, exchange: Exchange) => Promise<string | Refusal>;

/** What is asked of which upstream, in the upstream's own words. */
export type Addressed = { type: "addressed"; upstream: string; name: string; arguments: JsonObject };

const resultFreshMs = 60_000;

export function createOperationCaller(call: ActionCaller): OperationCaller {
  return async (message, client, exchange) => {
    const operation = operationOfMethod(message.method);
    if (operation === null) return refuse(200, rpcCodes.methodNotFound, `Method not found: ${message.method}`);
    const addressed = addressOf(message, exchange.address.upstream);
    if (addressed.type === "refusal") return addressed;
    const { upstream, arguments: args } = addressed;
    const tool = qualifiedToolName(upstream, operation.name);
    const called = await call({ message, exchange, client, upstream, tool, arguments: args });
    if (called.type === "refusal") return called;
    if (called.type === "waits") return markedJson(called.result);
    if (called.type === "input") return resultJson({ ...called.input }, client.stateless, "input_required");
    if (called.outcome.type !== "succeeded") return refuseOutcome(called.outcome, client.stateless, called.missing);
    const { result: outcome, actionId } = called.outcome;
    const shared = exchange.address.upstream === null;
    const result = shared ? sharedResult(upstream, outcome.structuredContent ?? {}) : { ...outcome.structuredContent };
    result["_meta"] = { ...ownMeta(result["_meta"]), "remit/action": actionId };
    if (message.method === "resources/read" && client.stateless) Object.assign(result, freshness(result["ttlMs"], resultFreshMs));
    return resultJson(result, client.stateless);
  };
}

/** What did not happen, as an error: these results have no place in which to say it. */
export function refuseOutcome(
  outcome: Exclude<ActionOutcome, { type: "succeeded" }>,
  stateless: boolean,
  missing: readonly Missing[] = [],
): Refusal {
  if (outcome.type === "failed" && outcome.fault !== undefined) return refuseFault(outcome.fault, stateless);
  const said = resultOf(outcome, false, missing).content[0]?.["text"];
  const text = typeof said === "string" ? said : outcome.reason;
  const { type, actionId, reason } = outcome;
  if (outcome.type === "waiting") {
    const { approvalId, link, expiresAt, teams } = outcome;
    return refuse(200, errorTable["approval-pending"].rpc, text, { type, actionId, reason, approvalId, link, expiresAt, teams });
  }
  const lacks = missing.length === 0 ? {} : { missing: missing.map((one) => ({ ...one })) };
  return refuse(200, errorTable[outcome.code].rpc, text, { type, code: outcome.code, actionId, reason, ...lacks });
}

const maxNameLength = 8_192;

/** Which upstream a request is for. At a shared address the name says it, at an upstream's own the address. */
export function addressOf(message: RpcRequest, address: string | null): Addressed | Refusal {
  const { name, uri, ref, argument, context, arguments: args } = message.params;
  switch (message.method) {
    case "prompts/get": {
      const found = namedBy("name", name, address);
      return found.type === "refusal"
        ? found
        : { ...found, arguments: { ...found.arguments, ...(args === undefined ? {} : { arguments: args }) } };
    }
    case "completion/complete": {
      if (!isObject(ref)) return invalid("ref must be an object");
      const member = ref["type"] === "ref/resource" ? "uri" : "name";
      const found = namedBy(member, ref[member], address);
      if (found.type === "refusal") return found;
      const own = { ...ref, ...found.arguments };
      return {
        ...found,
        arguments: { ref: own, ...(argument === undefined ? {} : { argument }), ...(context === undefined ? {} : { context }) },
      };
    }
    default:
      return namedBy("uri", uri, address);
  }
}

function namedBy(member: "name" | "uri", value: unknown, address: string | null): Addressed | Refusal {
  if (typeof value !== "string" || value === "" || value.length > maxNameLength)
    return invalid(`${member} must be text of 1 to ${maxNameLength} characters`);
  if (address !== null) return { type: "addressed", upstream: address, name: value, arguments: { [member]: value } };
  const own = member === "uri" ? ownUri(value) : ownName(value);
  if (own === null)
    return refuse(200, rpcCodes.invalidParams, `Unknown ${member === "uri" ? "resource" : "prompt"}: ${value}`, { [member]: value });
  const name = "uri" in own ? own.uri : own.name;
  return { type: "addressed", upstream: own.upstream, name, arguments: { [member]: name } };
}

function sharedResult(upstream: string, result: JsonObject): JsonObject {
  const { contents, messages } = result;
  if (Array.isArray(contents)) {
    const shared = contents.map((item) =>
      isObject(item) && typeof item["uri"] === "string" ? { ...item, uri: sharedUri(upstream, item["uri"]) } : item,
    );
    return { ...result, contents: shared };
  }
  if (!Array.isArray(messages)) return { ...result };
  return {
    ...result,
    messages: messages.map((one) => (isObject(one) ? { ...one, content: sharedContent(upstream, one["content"] ?? null) } : one)),
  };
}

/** An upstream's `_meta`, without anything that would speak in our name. */
function ownMeta(meta: unknown): JsonObject {
  return isObject(meta) ? Object.fromEntries(Object.entries(meta).filter(([key]) => !key.startsWith("remit/"))) : {};
}

function invalid(what: string): Refusal {
  return refuse(200, rpcCodes.invalidParams, `Invalid params: ${what}`);
}
