import type { JsonObject, UpstreamSpec } from "@remit/contract";
import { RemitError } from "@remit/contract";
import { Agent } from "undici";
import type { ConnectDeps, Connection } from "../upstream/connection.ts";
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
  const api = apiTools(source, transport.baseUrl);
  if (api.leftOut.length > 0)
    deps.logger.warn(
      { upstream: spec.name, leftOut: api.leftOut.slice(0, 20), count: api.leftOut.length },
      "operations of an API are not offered",
    );
  const dispatcher = new Agent({
    keepAliveTimeout: 30_000,
    headersTimeout: 610_000,
    bodyTimeout: 610_000,
    connectTimeout: deps.connectTimeoutMs,
  });
  const closedListeners: ((reason: string) => void)[] = [];
  let closed: string | null = null;

  async function call(params: JsonObject, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<JsonObject> {
    const name = typeof params["name"] === "string" ? params["name"] : "";
    const operation = api.operations.get(name);
    if (operation === undefined)
      throw new RemitError("upstream-error", `upstream "${spec.name}" has no operation "${name}"; nothing was sent`);
    const meta = params["_meta"];
    const traceparent = typeof meta === "object" && meta !== null && !Array.isArray(meta) ? meta["traceparent"] : undefined;
    const answer = await sendApiRequest({
      upstream: spec.name,
      baseUrl: api.baseUrl,
      operation,
      arguments: (params["arguments"] ?? {}) as JsonObject,
      credential: { headers, query: [] },
      dispatcher,
      traceparent: typeof traceparent === "string" ? traceparent : null,
      signal,
    });
    return apiResult(spec.name, operation, answer);
  }

  return {
    protocolVersion: "openapi",
    capabilities: { tools: {} },
    speaksHandshake: false,
    async request(method, params, { signal, headers = {} }) {
      signal.throwIfAborted();
      if (method === "tools/list") return { tools: api.listed };
      if (method === "tools/call") return await call(params, headers, signal);
      throw new RemitError("upstream-error", `upstream "${spec.name}" is an HTTP API and has no ${method}`);
    },
    onClosed(listener) {
      if (closed === null) closedListeners.push(listener);
      else listener(closed);
    },
    notify: () => undefined,
    onNotification: () => undefined,
    stderr: () => [],
    async close() {
      if (closed !== null) return;
      closed = "it was closed";
      await dispatcher.destroy();
      for (const listener of closedListeners) listener(closed);
    },
  };
}
