import type { Containment, JsonObject } from "@remit/contract";
import { RemitError } from "@remit/contract";
import type { Logger } from "pino";
import type { Outbound } from "../outbound/outbound.ts";
import type { Access, RequestedBy } from "../secret/access.ts";
import { rpcCodes } from "../mcp/mcp-protocol.ts";
import { RpcError } from "../mcp/rpc-error.ts";
import type { UpstreamSandboxDeps } from "../sandbox/contain-upstream.ts";
import { printable } from "../log/printable.ts";

/** What an upstream asks of its client in mid-call. */
export type ServerRequest = { method: string; params: JsonObject };

export type RequestOptions = {
  signal: AbortSignal;
  /** Whose credentials are shown. Default: the connection's own. */
  by?: RequestedBy | undefined;
  /** For transports that have headers. */
  headers?: Readonly<Record<string, string>> | undefined;
  /** What the client behind this request can be asked for, as the stateless revision says it. Default: nothing. */
  capabilities?: JsonObject | undefined;
  /** Whether to be told of progress. */
  progress?: boolean;
  /** Told what the upstream says in the course of this request: progress, log messages. */
  onNotification?: ((method: string, params: JsonObject) => void) | undefined;
  /** Answers what it asks in the course of this request; a thrown `RpcError` is its answer too. Default: it is refused. */
  onServerRequest?: ((request: ServerRequest, signal: AbortSignal) => Promise<JsonObject>) | undefined;
};

/** One live connection to an upstream, past its handshake. */
export type Connection = {
  protocolVersion: string;
  /** What the upstream says that it can do. */
  capabilities: JsonObject;
  /** Whether it can be shaken hands with, also where it speaks the stateless revision here. */
  speaksHandshake: boolean;
  /**
   * Sends one request and gives back its result as it came, nothing added and nothing taken away.
   * Aborting cancels it at the upstream too and rejects with the signal's reason.
   * @throws RemitError `upstream-unavailable` (nothing was sent) | `upstream-error` (it answered with an error, which is the cause) |
   *   `outcome-unknown` (it was sent, and the connection ended before an answer)
   */
  request(method: string, params: JsonObject, options: RequestOptions): Promise<JsonObject>;
  /** Tells without waiting. */
  notify(method: string, params: JsonObject): void;
  /** Told once when the connection is no more, with the reason in words. */
  onClosed(listener: (reason: string) => void): void;
  /** Told what the upstream says beside all requests: that a list has changed, that a resource was updated. */
  onNotification(listener: (method: string, params: JsonObject) => void): void;
  /** Answers what is asked beside all requests, on a connection that is one client's alone. */
  answerBeside(handler: NonNullable<RequestOptions["onServerRequest"]>): void;
  stderr(): string[];
  /** Aborted when another connection is to be made: this one closes by itself once nothing is under way on it. */
  stale?: AbortSignal | undefined;
  /** How its program was started, where it has one. */
  containment?: Containment;
  close(): Promise<void>;
};

/** What connecting needs. */
export type ConnectDeps = UpstreamSandboxDeps & {
  logger: Logger;
  /** This process's own environment, of which a child gets next to nothing. */
  environment: Readonly<Record<string, string | undefined>>;
  connectTimeoutMs: number;
  /** How long a child has to end after each of: its stdin is closed, SIGTERM. */
  graceMs: number;
  /** How a description of an API is fetched. */
  outbound: Outbound;
  /** What is shown to the upstream. */
  access: Access;
  /** Aborting gives up on connecting. */
  signal: AbortSignal;
  /**
   * Which upstreams are known to need the handshake, kept over reconnections. `perhaps-legacy`: it ended when it was asked which
   * revision it speaks; the next attempt is by the handshake.
   */
  era: Map<string, "auto" | "legacy" | "perhaps-legacy">;
  /** A connection for one client alone, by the handshake: the upstream may ask that client for these. Absent: for all, asking nobody. */
  client?: { capabilities: JsonObject };
};

/** No message of an upstream may be larger. Bytes. */
export const maxMessageBytes = 10 * 1024 * 1024;

/** The id of our own requests starts here, far above those of the SDK on the same connection. */
export const firstRequestId = 1_000_000;

/** Parameters with our own id as the progress token: one that no other call on the connection has. */
export function withProgress(params: JsonObject, id: number, { progress }: RequestOptions): JsonObject {
  if (progress !== true) return params;
  return { ...params, _meta: { ...(params["_meta"] as JsonObject | undefined), progressToken: id } };
}

/** What a JSON-RPC response says, as a result or as an error that names the upstream. */
export function resultOfResponse(upstream: string, response: JsonObject): JsonObject | RemitError {
  const error = response["error"];
  if (error !== undefined) {
    const { code, message, data } = isObject(error) ? error : {};
    const text = typeof message === "string" ? printable(message).slice(0, 1_000) : "no message";
    const number = typeof code === "number" ? ` ${code}` : "";
    const cause = new RpcError(Number.isSafeInteger(code) ? (code as number) : rpcCodes.internalError, text, data);
    return new RemitError("upstream-error", `upstream "${upstream}" answered with error${number}: ${text}`, { cause });
  }
  const result = response["result"];
  return isObject(result) ? result : new RemitError("upstream-error", `upstream "${upstream}" answered with neither a result nor an error`);
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
