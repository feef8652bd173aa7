import { setTimeout as delay } from "node:timers/promises";
import type { JsonObject } from "@remit/contract";
import { RemitError } from "@remit/contract";
import type { Dispatcher } from "undici";
import { readJson } from "../json/read-json.ts";
import { encodeHeaderValue } from "../mcp/header-value.ts";
import { namedBy, statelessVersion } from "../mcp/mcp-protocol.ts";
import type { Access } from "../secret/access.ts";
import { maxAttempts } from "../secret/access.ts";
import type { Challenge, Lease } from "../secret/broker.ts";
import type { RequestOptions } from "./connection.ts";
import { firstRequestId, isObject, maxMessageBytes, resultOfResponse, withProgress } from "./connection.ts";
import { createSideTraffic } from "./side-traffic.ts";
import { notConnected } from "./not-connected.ts";
import { createSseReader } from "./sse-reader.ts";
import { printable } from "../log/printable.ts";

/** Our own requests to a Streamable HTTP upstream: one POST each, its answer handed over as it came. */
export type HttpChannel = {
  /** @throws SessionExpired when the upstream has forgotten the session: nothing was done, and it is to be connected anew. */
  request(method: string, params: JsonObject, options: RequestOptions): Promise<JsonObject>;
  notify(method: string, params: JsonObject): void;
  /** What came on the stream that belongs to no request. */
  receive(message: JsonObject): void;
  onNotification(listener: (method: string, params: JsonObject) => void): void;
  answerBeside(handler: NonNullable<RequestOptions["onServerRequest"]>): void;
};

/** The upstream refused a request because it no longer knows our session. */
export class SessionExpired extends Error {}

type ChannelOptions = {
  upstream: string;
  url: URL;
  dispatcher: Dispatcher;
  protocolVersion: string;
  sessionId: string | undefined;
  /** Whether the connection is one client's alone. */
  exclusive: boolean;
  access: Access;
};

/** How long to wait before a stream is resumed, where the upstream does not say; and at least, whatever it says. */
const defaultRetryMs = 1_000;
const minRetryMs = 100;

export function openHttpChannel(options: ChannelOptions): HttpChannel {
  const { upstream, url, dispatcher, protocolVersion, sessionId, access } = options;
  const stateless = protocolVersion === statelessVersion;
  const target = { origin: url.origin, path: `${url.pathname}${url.search}`, method: "POST" as const };
  const common: Record<string, string> = {
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
    "mcp-protocol-version": protocolVersion,
    ...(sessionId === undefined ? {} : { "mcp-session-id": sessionId }),
  };
  let nextId = firstRequestId;
  const side = createSideTraffic({ exclusive: options.exclusive, answer: tell });

  function post(
    message: JsonObject,
    headers: Record<string, string>,
    lease: Lease | null,
    signal: AbortSignal | null,
  ): Promise<Dispatcher.ResponseData> {
    const body = JSON.stringify(message);
    if (lease === null) return dispatcher.request({ ...target, headers, body, signal });
    const { pathname, search } = withQuery(url, lease.query);
    return dispatcher.request({ ...target, path: pathname + search, headers: { ...headers, ...lease.headers }, body, signal });
  }

  /** Sends, and sends again with another credential where the upstream did not look at the request for want of one. */
  async function postLetIn(
    message: JsonObject,
    headers: Record<string, string>,
    requested: RequestOptions,
  ): Promise<Dispatcher.ResponseData> {
    const { by, signal } = requested;
    let lease = await access.lease(by, signal);
    for (let attempt = 1; ; attempt += 1) {
      const response = await post(message, headers, lease, signal);
      const challenge = challengeOf(response);
      if (challenge === null) return response;
      await response.body.dump();
      if (attempt >= maxAttempts) throw refused(`does not let Remit in (HTTP ${challenge.status}), and asks for more each time`);
      lease = await access.again(by, lease, challenge, signal);
    }
  }

  /** Tells without waiting; the answer says nothing. */
  function tell(message: JsonObject): void {
    const signal = AbortSignal.timeout(5_000);
    access
      .lease(undefined, signal)
      .then((lease) => post(message, common, lease, signal))
      .then(
        (response) => response.body.dump(),
        () => undefined,
      );
  }

  async function answerOf(response: Dispatcher.ResponseData, id: number, requested: RequestOptions): Promise<JsonObject> {
    const type = mediaTypeOf(response);
    if (type === "text/event-stream") return await answerInStream(response, id, requested);
    const message = parse(await textOf(response));
    if (type === "application/json" && message?.["id"] === id) return message;
    if (response.statusCode >= 400 && message?.["error"] !== undefined) return message;
    throw refused(`answered HTTP ${response.statusCode} without an answer to the request`);
  }

  /** Reads until the answer comes; where the stream ends before and says how, it is taken up again. */
  async function answerInStream(first: Dispatcher.ResponseData, id: number, requested: RequestOptions): Promise<JsonObject> {
    let response = first;
    let from: string | null = null;
    for (;;) {
      const { answer, lastEventId, retryMs, broken } = await readStream(response, id, from, requested);
      if (answer !== null) return answer;
      // The stateless revision has nothing to resume: there, whoever closes the stream gives up the call.
      if (stateless || lastEventId === null) throw broken ?? unknown("it closed its stream without an answer");
      await delay(Math.max(retryMs ?? defaultRetryMs, minRetryMs), undefined, { signal: requested.signal });
      response = await resume(lastEventId, requested);
      from = lastEventId;
    }
  }

  async function resume(lastEventId: string, { by, signal }: RequestOptions): Promise<Dispatcher.ResponseData> {
    const lease = await access.lease(by, signal);
    const { pathname, search } = withQuery(url, lease?.query ?? {});
    const headers = { ...common, ...lease?.headers, accept: "text/event-stream", "last-event-id": lastEventId };
    const response = await dispatcher
      .request({ ...target, method: "GET", path: pathname + search, headers, signal })
      .catch((error: unknown) => {
        signal.throwIfAborted();
        // The call itself was sent, whatever keeps us from hearing of it.
        throw unknown(`it closed its stream, which could not be resumed (${printable(String(error))})`);
      });
    if (response.statusCode === 200 && mediaTypeOf(response) === "text/event-stream") return response;
    await response.body.dump();
    throw unknown(`it closed its stream and did not resume it (HTTP ${response.statusCode})`);
  }

  type Read = { answer: JsonObject | null; lastEventId: string | null; retryMs: number | null; broken: Error | null };

  async function readStream(response: Dispatcher.ResponseData, id: number, from: string | null, requested: RequestOptions): Promise<Read> {
    let answer: JsonObject | null = null;
    let broken: Error | null = null;
    const reader = createSseReader((data) => {
      const message = parse(data);
      if (message === null || answer !== null) return;
      if (message["method"] !== undefined) side.receive(message, requested);
      else if (message["id"] === id) answer = message;
    }, from);
    const decoder = new TextDecoder();
    try {
      for await (const chunk of response.body as AsyncIterable<Buffer>) {
        reader.push(decoder.decode(chunk, { stream: true }));
        if (answer !== null) break;
        if (reader.buffered() > maxMessageBytes)
          throw refused(`answered with more than ${maxMessageBytes / 1024 / 1024} MB; the answer was dropped`);
      }
    } catch (error) {
      if (requested.signal.aborted || RemitError.is(error)) throw error;
      broken = error instanceof Error ? error : new Error(String(error));
    }
    return { answer, ...reader.cursor(), broken };
  }

  async function textOf(response: Dispatcher.ResponseData): Promise<string> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > maxMessageBytes) throw refused(`answered with more than ${maxMessageBytes / 1024 / 1024} MB; the answer was dropped`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString("utf8");
  }

  function refused(what: string): RemitError {
    return new RemitError("upstream-error", `upstream "${upstream}" ${what}`);
  }

  function unknown(why: string): RemitError {
    return new RemitError("outcome-unknown", `the call was sent to upstream "${upstream}", then ${why}; whether it was done is not known`);
  }

  return {
    notify: (method, params) => tell({ jsonrpc: "2.0", method, params }),
    receive: (message) => side.receive(message),
    onNotification: (listener) => side.onNotification(listener),
    answerBeside: (handler) => side.answerBeside(handler),
    async request(method, params, requested) {
      const { signal } = requested;
      signal.throwIfAborted();
      const id = nextId;
      nextId += 1;
      const headers = stateless ? { ...common, "mcp-method": method, ...nameHeader(method, params), ...requested.headers } : common;
      side.track(id, requested);
      try {
        const response = await postLetIn({ jsonrpc: "2.0", id, method, params: withProgress(params, id, requested) }, headers, requested);
        const status = response.statusCode;
        if (status === 404 && sessionId !== undefined) {
          await response.body.dump();
          throw new SessionExpired();
        }
        if (status >= 300 && status < 400) {
          await response.body.dump();
          throw refused(`answered with a redirect (HTTP ${status}); redirects are not followed`);
        }
        const outcome = resultOfResponse(upstream, await answerOf(response, id, requested));
        if (RemitError.is(outcome)) throw outcome;
        return outcome;
      } catch (error) {
        if (signal.aborted) {
          // Closing the stream cancels in the stateless revision; the older ones want to be told.
          if (!stateless) tell({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: id } });
          throw signal.reason;
        }
        if (RemitError.is(error) || error instanceof SessionExpired) throw error;
        const code = codeOf(error);
        const text = printable(error instanceof Error ? error.message : String(error));
        if (notConnected.has(code)) {
          throw new RemitError("upstream-unavailable", `upstream "${upstream}" cannot be reached (${code}); nothing was sent`, {
            cause: error,
          });
        }
        throw unknown(`its connection broke (${text})`);
      } finally {
        side.untrack(id);
      }
    },
  };
}

/** The URL with what the upstream takes in its query. */
export function withQuery(url: URL, query: Lease["query"]): URL {
  const full = new URL(url);
  for (const [name, value] of Object.entries(query)) full.searchParams.set(name, value);
  return full;
}

function mediaTypeOf({ headers }: Dispatcher.ResponseData): string {
  const [type = ""] = String(headers["content-type"] ?? "").split(";");
  return type.trim().toLowerCase();
}

function challengeOf({ statusCode, headers }: Dispatcher.ResponseData): Challenge | null {
  if (statusCode !== 401 && statusCode !== 403) return null;
  const header = headers["www-authenticate"];
  return { status: statusCode, wwwAuthenticate: (Array.isArray(header) ? header.join(", ") : header) ?? null };
}

/** MCP 2026-07-28, Streamable HTTP, Standard Request Headers. */
function nameHeader(method: string, params: JsonObject): Record<string, string> {
  const name = params[namedBy.get(method) ?? "name"];
  return typeof name === "string" ? { "mcp-name": encodeHeaderValue(name) } : {};
}

function codeOf(error: unknown): string {
  const code = typeof error === "object" && error !== null ? (error as { code?: unknown }).code : undefined;
  return typeof code === "string" ? code : "";
}

function parse(text: string): JsonObject | null {
  try {
    const value: unknown = readJson(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}
