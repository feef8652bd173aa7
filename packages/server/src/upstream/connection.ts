import type { JsonObject } from "@remit/contract";
import { RemitError } from "@remit/contract";
import type { Logger } from "pino";
import type { Outbound } from "../outbound/outbound.ts";
import { printable } from "./stderr-ring.ts";

/** One live connection to an upstream, past its handshake. */
export type Connection = {
  protocolVersion: string;
  /**
   * Sends one request and gives back its result as it came, nothing added and nothing taken away.
   * Aborting cancels it at the upstream too and rejects with the signal's reason.
   * @param headers for transports that have headers
   * @throws RemitError `upstream-unavailable` (nothing was sent) | `upstream-error` (it answered with an error) |
   *   `outcome-unknown` (it was sent, and the connection ended before an answer)
   */
  request(method: string, params: JsonObject, signal: AbortSignal, headers?: Readonly<Record<string, string>>): Promise<JsonObject>;
  /** Told once when the connection is no more, with the reason in words. */
  onClosed(listener: (reason: string) => void): void;
  /** Told when the upstream says that its tools have changed. */
  onToolsChanged(listener: () => void): void;
  stderr(): string[];
  close(): Promise<void>;
};

/** What connecting needs. */
export type ConnectDeps = {
  logger: Logger;
  /** What `cwd` of a specification is relative to. */
  rootDir: string;
  /** This process's own environment, of which a child gets next to nothing. */
  environment: Readonly<Record<string, string | undefined>>;
  connectTimeoutMs: number;
  /** How long a child has to end after each of: its stdin is closed, SIGTERM. */
  graceMs: number;
  /** How a description of an API is fetched. */
  outbound: Outbound;
  /** Aborting gives up on connecting. */
  signal: AbortSignal;
  /** Which upstreams are known to need the handshake, kept over reconnections. */
  era: Map<string, "auto" | "legacy">;
};

/** No message of an upstream may be larger. Bytes. */
export const maxMessageBytes = 10 * 1024 * 1024;

/** The id of our own requests starts here, far above those of the SDK on the same connection. */
export const firstRequestId = 1_000_000;

/** What a JSON-RPC response says, as a result or as an error that names the upstream. */
export function resultOfResponse(upstream: string, response: JsonObject): JsonObject | RemitError {
  const error = response["error"];
  if (error !== undefined) {
    const { code, message } = isObject(error) ? error : {};
    const text = typeof message === "string" ? printable(message).slice(0, 1_000) : "no message";
    const number = typeof code === "number" ? ` ${code}` : "";
    return new RemitError("upstream-error", `upstream "${upstream}" answered with error${number}: ${text}`);
  }
  const result = response["result"];
  return isObject(result) ? result : new RemitError("upstream-error", `upstream "${upstream}" answered with neither a result nor an error`);
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
