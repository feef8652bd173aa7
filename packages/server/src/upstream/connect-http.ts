import { StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import type { UpstreamSpec } from "@remit/contract";
import { RemitError } from "@remit/contract";
import { Agent } from "undici";
import { ownEnvelope, statelessVersion } from "../mcp/mcp-protocol.ts";
import type { ConnectDeps, Connection } from "./connection.ts";
import { openHttpChannel } from "./http-channel.ts";
import { printable } from "./stderr-ring.ts";
import { createUpstreamClient } from "./upstream-client.ts";

/**
 * Connects to a Streamable HTTP upstream, in the newest revision that both speak. It is given no token of any caller.
 * @throws RemitError `upstream-unavailable` | `upstream-timeout`
 */
export async function connectHttp(spec: UpstreamSpec, deps: ConnectDeps): Promise<Connection> {
  if (spec.transport.type !== "http") throw new Error(`upstream ${spec.name} is not an HTTP upstream`);
  const url = new URL(spec.transport.url);
  const log = deps.logger.child({ upstream: spec.name });
  const client = createUpstreamClient("auto");
  client.onError((error) => log.debug({ err: error }, "upstream connection reported an error"));
  const transport = new StreamableHTTPClientTransport(url, {
    // A redirect could carry a call to where nobody has registered anything.
    fetch: (input, init) => fetch(input, { ...init, redirect: "error" }),
  });
  // A caller's timeout ends a call; these only free what a caller has forgotten.
  const dispatcher = new Agent({
    keepAliveTimeout: 30_000,
    headersTimeout: 610_000,
    bodyTimeout: 610_000,
    connectTimeout: deps.connectTimeoutMs,
  });
  const closedListeners: ((reason: string) => void)[] = [];
  let closed: string | null = null;

  async function close(reason: string): Promise<void> {
    if (closed !== null) return;
    closed = reason;
    await transport.terminateSession().catch(() => undefined);
    await client.close().catch(() => undefined);
    await dispatcher.destroy();
    for (const listener of closedListeners) listener(reason);
  }

  const giveUp = () => void close("it was given up");
  deps.signal.addEventListener("abort", giveUp, { once: true });
  try {
    deps.signal.throwIfAborted();
    await client.connect(transport, deps.connectTimeoutMs);
  } catch (error) {
    await close("it could not be connected");
    throw new RemitError(
      client.timedOut(error) ? "upstream-timeout" : "upstream-unavailable",
      `upstream "${spec.name}" could not be connected: ${describe(error)}`,
      { cause: error },
    );
  } finally {
    deps.signal.removeEventListener("abort", giveUp);
  }

  const protocolVersion = client.protocolVersion();
  const stateless = protocolVersion === statelessVersion;
  const channel = openHttpChannel({ upstream: spec.name, url, dispatcher, protocolVersion, sessionId: transport.sessionId });

  return {
    protocolVersion,
    request: (method, params, signal, headers) =>
      channel.request(
        method,
        stateless ? { ...params, _meta: { ...(params["_meta"] as object | undefined), ...ownEnvelope } } : params,
        signal,
        headers,
      ),
    onClosed(listener) {
      if (closed === null) closedListeners.push(listener);
      else listener(closed);
    },
    onToolsChanged: (listener) => client.onToolsChanged(listener),
    stderr: () => [],
    close: () => close("it was closed"),
  };
}

function describe(error: unknown): string {
  const parts: string[] = [];
  for (let at: unknown = error; at instanceof Error && parts.length < 4; at = at.cause) {
    const text = printable(at.message).slice(0, 300);
    if (text !== "" && !parts.includes(text)) parts.push(text);
  }
  return parts.join(": ") || "no reason was given";
}
