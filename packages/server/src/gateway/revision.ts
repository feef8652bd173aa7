import { decodeHeaderValue } from "../mcp/header-value.ts";
import { handshakeVersions, metaKeys, rpcCodes, statelessVersion } from "../mcp/mcp-protocol.ts";
import type { Refusal } from "./refusal.ts";
import { refuse, refuseHeader, refuseVersion } from "./refusal.ts";
import type { RpcNotification, RpcRequest } from "./rpc-message.ts";
import { isObject, metaOf } from "./rpc-message.ts";

export type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** Which of the two shapes of the protocol a message is spoken in. */
export type Revision = { type: "revision"; stateless: boolean };

const stateless: Revision = { type: "revision", stateless: true };
const handshake: Revision = { type: "revision", stateless: false };

/**
 * Finds the revision of a message. The body decides and the headers must agree: whoever routes by the headers must not be made
 * to believe something else than what runs (MCP 2026-07-28, Streamable HTTP, Server Validation).
 */
export function revisionOf(message: RpcRequest | RpcNotification, headers: Headers): Revision | Refusal {
  const claim = metaOf(message)[metaKeys.protocolVersion];
  const named = headers["mcp-protocol-version"];
  if (claim === undefined) return withoutClaim(message, named);
  if (typeof claim !== "string") return missing(`_meta["${metaKeys.protocolVersion}"] must be text`);
  if (named !== undefined && named !== claim) return refuseHeader(`MCP-Protocol-Version does not name ${claim}, as the body does`);
  if (claim !== statelessVersion) return refuseVersion(claim);
  if (message.type === "notification") return stateless;
  if (named === undefined) return refuseHeader("MCP-Protocol-Version is missing");
  return envelope(message) ?? standardHeaders(message, headers) ?? stateless;
}

function withoutClaim(message: RpcRequest | RpcNotification, named: string | string[] | undefined): Revision | Refusal {
  if (named === undefined) return handshake;
  if (named === statelessVersion) {
    if (message.type === "notification") return stateless;
    if (message.method === "initialize") return refuseHeader(`revision ${statelessVersion} has no initialize`);
    return missing(`_meta["${metaKeys.protocolVersion}"] and _meta["${metaKeys.clientCapabilities}"] are missing`);
  }
  // The handshake names its version in the body, and may name one that we answer with another.
  if (message.method === "initialize") return handshake;
  const known = typeof named === "string" && (handshakeVersions as readonly string[]).includes(named);
  return known ? handshake : refuseVersion(String(named).slice(0, 50));
}

function envelope(message: RpcRequest): Refusal | null {
  const meta = metaOf(message);
  if (!isObject(meta[metaKeys.clientCapabilities])) return missing(`_meta["${metaKeys.clientCapabilities}"] must be an object`);
  const info = meta[metaKeys.clientInfo];
  return info === undefined || isObject(info) ? null : missing(`_meta["${metaKeys.clientInfo}"] must be an object`);
}

function standardHeaders(message: RpcRequest, headers: Headers): Refusal | null {
  const method = headers["mcp-method"];
  if (method === undefined) return refuseHeader("Mcp-Method is missing");
  if (method !== message.method) return refuseHeader("Mcp-Method does not name the method of the body");
  const member = mirrored.get(message.method);
  if (member === undefined) return null;
  const name = headers["mcp-name"];
  if (name === undefined) return refuseHeader("Mcp-Name is missing");
  const decoded = typeof name === "string" ? decodeHeaderValue(name) : null;
  return decoded !== null && decoded === message.params[member] ? null : refuseHeader(`Mcp-Name does not say what params.${member} says`);
}

/** The parameter that `Mcp-Name` mirrors (MCP 2026-07-28, Streamable HTTP, Standard Request Headers). */
const mirrored: ReadonlyMap<string, string> = new Map([
  ["tools/call", "name"],
  ["prompts/get", "name"],
  ["resources/read", "uri"],
]);

function missing(what: string): Refusal {
  return refuse(400, rpcCodes.invalidParams, `Invalid params: ${what}`);
}
