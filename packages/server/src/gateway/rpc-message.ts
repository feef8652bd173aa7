import type { JsonObject } from "@remit/contract";
import { rpcCodes } from "../mcp/mcp-protocol.ts";
import { RpcError } from "../mcp/rpc-error.ts";
import type { Refusal, RpcId } from "./refusal.ts";
import { refuse } from "./refusal.ts";

export type RpcRequest = { type: "request"; id: RpcId; method: string; params: JsonObject };
export type RpcNotification = { type: "notification"; method: string; params: JsonObject };
/** A client's answer to something that it was asked. */
export type RpcResponse = { type: "response"; id: RpcId; answer: JsonObject | RpcError };

const members = new Set(["jsonrpc", "id", "method", "params"]);
const responseMembers = new Set(["jsonrpc", "id", "result", "error"]);
const maxIdLength = 256;
const maxMethodLength = 128;

/** Reads one JSON-RPC message from a parsed body. By hand: it is on every call's way. */
export function readMessage(body: unknown): RpcRequest | RpcNotification | RpcResponse | Refusal {
  if (Array.isArray(body)) return invalid("batches are not part of the protocol since revision 2025-06-18; send one message");
  if (!isObject(body)) return invalid("the body must be a JSON-RPC request or notification");
  if (body["jsonrpc"] !== "2.0") return invalid('the member jsonrpc must be "2.0"');
  if ("result" in body || "error" in body) return readResponse(body);
  for (const name of Object.keys(body))
    if (!members.has(name)) return invalid(`a message has no member ${JSON.stringify(name.slice(0, 50))}`);
  const { id, method, params = {} } = body;
  if (typeof method !== "string" || method === "" || method.length > maxMethodLength) {
    return invalid(`the member method must be text of 1 to ${maxMethodLength} characters`);
  }
  if (!isObject(params)) return invalid("the member params must be an object");
  const meta = params["_meta"];
  if (meta !== undefined && !isObject(meta)) return invalid("the member params._meta must be an object");
  if (id === undefined) return { type: "notification", method, params };
  const validId = typeof id === "string" ? id.length <= maxIdLength : Number.isSafeInteger(id);
  if (!validId) return invalid(`the member id must be an integer or text of at most ${maxIdLength} characters`);
  return { type: "request", id: id as RpcId, method, params };
}

function readResponse(body: JsonObject): RpcResponse | Refusal {
  for (const name of Object.keys(body))
    if (!responseMembers.has(name)) return invalid(`a response has no member ${JSON.stringify(name.slice(0, 50))}`);
  const { id, result, error } = body;
  const validId = typeof id === "string" ? id.length <= maxIdLength : Number.isSafeInteger(id);
  if (!validId) return invalid("a response says by its id what it answers");
  if ((result === undefined) === (error === undefined)) return invalid("a response has a result or an error, and not both");
  if (isObject(result)) return { type: "response", id: id as RpcId, answer: result };
  if (!isObject(error)) return invalid("the result or error of a response must be an object");
  const { code, message, data } = error;
  if (!Number.isSafeInteger(code) || typeof message !== "string") return invalid("an error has a code and a message");
  return { type: "response", id: id as RpcId, answer: new RpcError(code as number, message.slice(0, 1_000), data) };
}

/** `params._meta`, empty where there is none. */
export function metaOf(message: RpcRequest | RpcNotification): JsonObject {
  return (message.params["_meta"] as JsonObject | undefined) ?? noMeta;
}

const noMeta: Readonly<JsonObject> = {};

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function invalid(what: string): Refusal {
  return refuse(400, rpcCodes.invalidRequest, `Invalid request: ${what}`);
}
