import { isDeepStrictEqual } from "node:util";
import type { JsonObject, UpstreamSpec } from "@remit/contract";
import { RemitError } from "@remit/contract";
import { Agent } from "undici";
import { maxAttempts } from "../secret/access.ts";
import { tlsOptions } from "../secret/presented.ts";
import type { ConnectDeps, Connection, RequestOptions } from "../upstream/connection.ts";
import { apiResult } from "./api-result.ts";
import { apiTools, openApiTransport } from "./api-tools.ts";
import { loadApi } from "./load-api.ts";
import { sendApiRequest } from "./send-api-request.ts";

/**
 * An HTTP API as an upstream: reading its description is connecting, and `tools/list` and `tools/call` mean what they mean of any
 * other, so that pins, drift, limits and the whole path of an action hold unchanged.
 * @throws RemitError `invalid-configuration` | `upstream-unavailable` | `not-found` | `too-large`
 */
export async function connectOpenApi(spec: UpstreamSpec, deps: ConnectDeps): Promise<Connection> {
  const transport = openApiTransport(spec);
  const source = await loadApi(transport.document, { ...deps, timeoutMs: deps.connectTimeoutMs });
  deps.signal.throwIfAborted();
  const api = await apiTools(source, transport.baseUrl);
  if (api.leftOut.length > 0)
    deps.logger.warn(
      { upstream: spec.name, leftOut: api.leftOut.slice(0, 20), count: api.leftOut.length },
      "operations of an API are not offered",
    );
  const closedListeners: ((reason: string) => void)[] = [];
  let closed: string | null = null;
  let opening: Promise<Agent> | null = null;

  /** Made for the first call: what the API offers can be read, and looked at, before there is a credential. */
  function dispatcherOf(signal: AbortSignal): Promise<Agent> {
    opening ??= open(signal).catch((error: unknown) => {
      opening = null;
      throw error;
    });
    return opening;
  }

  async function open(signal: AbortSignal): Promise<Agent> {
    const shown = await deps.access.lease(undefined, signal);
    if (shown?.tls != null) shown.ended.addEventListener("abort", () => void close("its certificate is no longer good"), { once: true });
    return new Agent({
      ...(shown?.tls == null ? {} : { connect: tlsOptions(shown.tls) }),
      keepAliveTimeout: 30_000,
      headersTimeout: 610_000,
      bodyTimeout: 610_000,
      connectTimeout: deps.connectTimeoutMs,
    });
  }

  /** What it says is what was compared with what was accepted; when it says something else, that has to be compared. */
  async function recheck(): Promise<void> {
    const again = await apiTools(await loadApi(transport.document, { ...deps, timeoutMs: deps.connectTimeoutMs }), transport.baseUrl);
    if (!isDeepStrictEqual(again.listed, api.listed)) await close("its description has changed");
  }
  const rechecking = setInterval(() => {
    recheck().catch((error: unknown) =>
      deps.logger.warn({ err: error, upstream: spec.name }, "the description of an API could not be read again"),
    );
  }, transport.recheckMs);
  rechecking.unref();

  async function close(reason: string): Promise<void> {
    if (closed !== null) return;
    closed = reason;
    clearInterval(rechecking);
    await (await opening?.catch(() => null))?.destroy();
    for (const listener of closedListeners) listener(closed);
  }

  async function call(params: JsonObject, { by, signal }: RequestOptions): Promise<JsonObject> {
    const name = typeof params["name"] === "string" ? params["name"] : "";
    const operation = api.operations.get(name);
    if (operation === undefined)
      throw new RemitError("upstream-error", `upstream "${spec.name}" has no operation "${name}"; nothing was sent`);
    const meta = params["_meta"];
    const traceparent = typeof meta === "object" && meta !== null && !Array.isArray(meta) ? meta["traceparent"] : undefined;
    const dispatcher = await dispatcherOf(signal);
    let lease = await deps.access.lease(by, signal);
    for (let attempt = 1; ; attempt += 1) {
      const answer = await sendApiRequest({
        upstream: spec.name,
        baseUrl: api.baseUrl,
        operation,
        arguments: (params["arguments"] ?? {}) as JsonObject,
        credential: { headers: lease?.headers ?? {}, query: Object.entries(lease?.query ?? {}).map(encoded) },
        dispatcher,
        traceparent: typeof traceparent === "string" ? traceparent : null,
        signal,
      });
      // 403 is the API's own word about who may do what; only 401 says that the credential was not taken.
      if (answer.status !== 401 || lease === null || attempt >= maxAttempts) return apiResult(spec.name, operation, answer);
      lease = await deps.access.again(by, lease, { status: 401, wwwAuthenticate: null }, signal);
    }
  }

  return {
    protocolVersion: "openapi",
    capabilities: { tools: {} },
    speaksHandshake: false,
    async request(method, params, options) {
      options.signal.throwIfAborted();
      if (method === "tools/list") return { tools: api.listed };
      if (method === "tools/call") return await call(params, options);
      throw new RemitError("upstream-error", `upstream "${spec.name}" is an HTTP API and has no ${method}`);
    },
    onClosed(listener) {
      if (closed === null) closedListeners.push(listener);
      else listener(closed);
    },
    notify: () => undefined,
    onNotification: () => undefined,
    answerBeside: () => undefined,
    stderr: () => [],
    close: () => close("it was closed"),
  };
}

function encoded([name, value]: readonly [string, string]): readonly [string, string] {
  return [encodeURIComponent(name), encodeURIComponent(value)];
}
