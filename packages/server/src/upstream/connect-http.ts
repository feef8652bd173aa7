import type { JSONRPCMessage } from "@modelcontextprotocol/client";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import type { JsonObject, UpstreamSpec } from "@remit/contract";
import { RemitError } from "@remit/contract";
import { Agent, fetch as fetchThrough } from "undici";
import { maxAttempts } from "../secret/access.ts";
import { tlsOptions } from "../secret/presented.ts";
import { enveloped, statelessVersion } from "../mcp/mcp-protocol.ts";
import type { ConnectDeps, Connection } from "./connection.ts";
import { openHttpChannel, withQuery } from "./http-channel.ts";
import { printable } from "../log/printable.ts";
import { createUpstreamClient } from "./upstream-client.ts";

/**
 * Connects to a Streamable HTTP upstream, in the newest revision that both speak. It is given no token of any caller.
 * @throws RemitError `upstream-unavailable` | `upstream-timeout`
 */
export async function connectHttp(spec: UpstreamSpec, deps: ConnectDeps): Promise<Connection> {
  if (spec.transport.type !== "http") throw new Error(`upstream ${spec.name} is not an HTTP upstream`);
  const url = new URL(spec.transport.url);
  const log = deps.logger.child({ upstream: spec.name });
  const client = createUpstreamClient(deps.client === undefined ? "auto" : "legacy", deps.client?.capabilities ?? {});
  client.onError((error) => log.debug({ err: error }, "upstream connection reported an error"));
  const lease = await deps.access.lease(undefined, deps.signal);
  const transport = new StreamableHTTPClientTransport(url, { fetch: (input, init) => fetchLetIn(new URL(input), init ?? {}) });
  // A caller's timeout ends a call; these only free what a caller has forgotten.
  const dispatcher = new Agent({
    keepAliveTimeout: 30_000,
    headersTimeout: 610_000,
    bodyTimeout: 610_000,
    connectTimeout: deps.connectTimeoutMs,
    ...(lease?.tls == null ? {} : { connect: tlsOptions(lease.tls) }),
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

  /** What the SDK sends: the handshake, and the stream that belongs to no request. */
  async function fetchLetIn(target: URL, init: RequestInit): Promise<Response> {
    const signal = init.signal ?? AbortSignal.timeout(deps.connectTimeoutMs);
    let shown = await deps.access.lease(undefined, signal);
    for (let attempt = 1; ; attempt += 1) {
      const headers = new Headers(init.headers);
      for (const [name, value] of Object.entries(shown?.headers ?? {})) headers.set(name, value);
      // A redirect could carry a call to where nobody has registered anything.
      const sent = { ...init, headers, redirect: "error" as const };
      const to = shown === null ? target : withQuery(target, shown.query);
      // Two copies of the same types: undici's own and those that Node has of it.
      const response =
        lease?.tls == null
          ? await fetch(to, sent)
          : await (fetchThrough(to, { ...sent, dispatcher } as never) as unknown as ReturnType<typeof fetch>);
      if ((response.status !== 401 && response.status !== 403) || attempt >= maxAttempts) return response;
      await response.body?.cancel();
      const challenge = { status: response.status, wwwAuthenticate: response.headers.get("www-authenticate") } as const;
      shown = await deps.access.again(undefined, shown, challenge, signal);
    }
  }

  const giveUp = () => void close("it was given up");
  deps.signal.addEventListener("abort", giveUp, { once: true });
  try {
    deps.signal.throwIfAborted();
    await client.connect(transport, deps.connectTimeoutMs);
  } catch (error) {
    await close("it could not be connected");
    const ours = causeOfOurs(error);
    if (ours !== null) throw ours;
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
  const exclusive = deps.client !== undefined;
  const channel = openHttpChannel({
    upstream: spec.name,
    url,
    dispatcher,
    protocolVersion,
    sessionId: transport.sessionId,
    exclusive,
    access: deps.access,
  });
  const toClient = transport.onmessage;
  // A certificate is shown once for each connection, so one that is no longer good ends it.
  if (lease?.tls != null) lease.ended.addEventListener("abort", () => void close("its certificate is no longer good"), { once: true });
  // The stream that belongs to no request is the SDK's; what is asked on it is for us to answer, and what is told is for both.
  const hear = (message: JSONRPCMessage): void => {
    if ("method" in message) channel.receive({ ...message } as JsonObject);
    if (!("method" in message) || !("id" in message)) toClient?.(message);
  };
  // The SDK's transports are no event targets.
  Object.assign(transport, { onmessage: hear });

  return {
    protocolVersion,
    capabilities: client.capabilities(),
    speaksHandshake: client.speaksHandshake(),
    request: (method, params, options) => channel.request(method, stateless ? enveloped(params, options.capabilities) : params, options),
    notify: (method, params) => channel.notify(method, params),
    onClosed(listener) {
      if (closed === null) closedListeners.push(listener);
      else listener(closed);
    },
    onNotification: (listener) => channel.onNotification(listener),
    answerBeside: (handler) => channel.answerBeside(handler),
    stderr: () => [],
    close: () => close("it was closed"),
  };
}

/** What was refused before or instead of a handshake, which the SDK wraps into words of its own. */
function causeOfOurs(error: unknown): RemitError | null {
  for (let at = error, depth = 0; at instanceof Error && depth < 6; at = at.cause, depth += 1) if (RemitError.is(at)) return at;
  return null;
}

function describe(error: unknown): string {
  const parts: string[] = [];
  for (let at: unknown = error; at instanceof Error && parts.length < 4; at = at.cause) {
    const text = printable(at.message).slice(0, 300);
    if (text !== "" && !parts.includes(text)) parts.push(text);
  }
  return parts.join(": ") || "no reason was given";
}
