import type { Json, RemitError } from "@remit/contract";
import { errorTable } from "@remit/contract";
import type { Challenge } from "../identity/resource.ts";
import { rpcCodes, supportedVersions } from "../mcp/mcp-protocol.ts";

/** The id of a request, as JSON-RPC has it. */
export type RpcId = string | number;

/** A message that is answered with an error of the protocol. `challenge`: what the client's token lacks. */
export type Refusal = { type: "refusal"; http: number; code: number; message: string; data?: Json; challenge?: Challenge };

export function refuse(http: number, code: number, message: string, data?: Json): Refusal {
  return { type: "refusal", http, code, message, ...(data === undefined ? {} : { data }) };
}

/** MCP 2026-07-28, Streamable HTTP, Server Validation. */
export function refuseHeader(what: string): Refusal {
  return refuse(400, rpcCodes.headerMismatch, `Header mismatch: ${what}`);
}

export function refuseVersion(requested: string): Refusal {
  return refuse(400, rpcCodes.unsupportedVersion, "Unsupported protocol version", { supported: [...supportedVersions], requested });
}

/** What was thrown, as an error of the protocol. */
export function refusalOf(error: RemitError): Refusal {
  const { http, rpc } = errorTable[error.code];
  const issues = error.issues.map((issue) => ({ ...issue }));
  return refuse(http, rpc, error.message, { code: error.code, ...(issues.length === 0 ? {} : { issues }) });
}

/** The body of an error response. The id is null where the request's own could not be read. */
export function errorBody(refusal: Refusal, id: RpcId | null): string {
  const error = { code: refusal.code, message: refusal.message, ...(refusal.data === undefined ? {} : { data: refusal.data }) };
  return JSON.stringify({ jsonrpc: "2.0", id, error });
}

/** An upstream's own error, as it gave it. Which status goes with it is for MCP 2026-07-28, Streamable HTTP, to say. */
export function refuseFault(fault: { code: number; message: string; data?: Json | undefined }, stateless: boolean): Refusal {
  return refuse(stateless ? (faultStatus.get(fault.code) ?? 200) : 200, fault.code, fault.message, fault.data);
}

const faultStatus: ReadonlyMap<number, number> = new Map([
  [rpcCodes.headerMismatch, 400],
  [rpcCodes.missingCapability, 400],
  [rpcCodes.unsupportedVersion, 400],
  [rpcCodes.methodNotFound, 404],
]);
