import type { JsonObject } from "@remit/contract";

/** Protocol revisions that open with an `initialize` handshake, newest first. */
export const handshakeVersions = ["2025-11-25", "2025-06-18"] as const;
/** The revision that carries its version and capabilities in every request. */
export const statelessVersion = "2026-07-28";
export const supportedVersions: readonly string[] = [statelessVersion, ...handshakeVersions];

/** Reserved members of `_meta` (MCP 2026-07-28, Overview, `_meta`). */
export const metaKeys = {
  protocolVersion: "io.modelcontextprotocol/protocolVersion",
  clientInfo: "io.modelcontextprotocol/clientInfo",
  clientCapabilities: "io.modelcontextprotocol/clientCapabilities",
  serverInfo: "io.modelcontextprotocol/serverInfo",
  logLevel: "io.modelcontextprotocol/logLevel",
  subscriptionId: "io.modelcontextprotocol/subscriptionId",
  relatedTask: "io.modelcontextprotocol/related-task",
} as const;

/** The extension by which a call may be answered with a task (SEP-2663). */
export const tasksExtension = "io.modelcontextprotocol/tasks";

/** JSON-RPC 2.0 and MCP 2026-07-28 error codes. */
export const rpcCodes = {
  parseError: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internalError: -32603,
  headerMismatch: -32020,
  missingCapability: -32021,
  unsupportedVersion: -32022,
} as const;

/** How Remit names itself, to its clients and to the servers behind it. */
export const remitInfo = { name: "remit", title: "Remit", version: "0.1.0" } as const;

/** Parameters with what the stateless revision wants in every request: who asks, and what the client behind it can be asked for. */
export function enveloped(params: JsonObject, capabilities: JsonObject = {}): JsonObject {
  const meta = {
    ...(params["_meta"] as JsonObject | undefined),
    [metaKeys.protocolVersion]: statelessVersion,
    [metaKeys.clientInfo]: remitInfo,
    [metaKeys.clientCapabilities]: capabilities,
  };
  return { ...params, _meta: meta };
}

/** Which parameter a method's header `Mcp-Name` mirrors, where it is another than `name`. */
export const namedBy: ReadonlyMap<string, string> = new Map([
  ["resources/read", "uri"],
  ["tasks/get", "taskId"],
  ["tasks/update", "taskId"],
  ["tasks/cancel", "taskId"],
  ["tasks/result", "taskId"],
]);
