import { randomBytes } from "node:crypto";
import type { JsonObject } from "@remit/contract";
import { RemitError } from "@remit/contract";
import type { ApiOperation, ApiRequest, RequestBody } from "@remit/core";
import { apiRequest } from "@remit/core";
import type { Dispatcher } from "undici";
import { readBody } from "../outbound/read-body.ts";
import { maxMessageBytes } from "../upstream/connection.ts";
import { notConnected } from "../upstream/not-connected.ts";
import { printable } from "../log/printable.ts";
import type { ApiAnswer } from "./api-result.ts";
import { callUrl } from "./api-tools.ts";

/** What says who calls: headers as they are, and encoded pairs of a query. */
export type ApiCredential = { headers: Readonly<Record<string, string>>; query: readonly (readonly [name: string, value: string])[] };

export type ApiCall = {
  upstream: string;
  baseUrl: URL;
  operation: ApiOperation;
  arguments: JsonObject;
  credential: ApiCredential;
  dispatcher: Dispatcher;
  traceparent: string | null;
  signal: AbortSignal;
};

const redirects = new Set([301, 302, 303, 307, 308]);
const maxRedirects = 3;

/**
 * One call of an operation. A read follows redirects within its own server; nothing is ever sent to another one.
 * @throws RemitError `invalid-arguments` | `upstream-unavailable` (nothing was sent) | `upstream-error` | `outcome-unknown`
 */
export async function sendApiRequest(call: ApiCall): Promise<ApiAnswer> {
  const { upstream, operation, signal } = call;
  const request = apiRequest(operation, call.arguments);
  const body = encodeBody(request.body);
  const headers = headersOf(call, request, body);
  let url = urlOf(call, request);
  const isRead = request.method === "GET" || request.method === "HEAD";
  for (let hop = 0; ; hop += 1) {
    signal.throwIfAborted();
    const response = await begin(call, url, headers, request.method, body?.bytes ?? null);
    const location = headerOf(response, "location");
    if (redirects.has(response.statusCode) && location !== "") {
      await response.body.dump();
      const next = URL.canParse(location, url.href) ? new URL(location, url.href) : null;
      if (next === null || next.origin !== url.origin)
        throw new RemitError("upstream-error", `upstream "${upstream}" redirects the call to another server, which is not followed`);
      if (!isRead || hop >= maxRedirects)
        throw new RemitError(
          "upstream-error",
          `upstream "${upstream}" redirects the call (HTTP ${response.statusCode}), which is not followed`,
        );
      url = next;
      continue;
    }
    return await answerOf(call, response);
  }
}

async function begin(
  call: ApiCall,
  url: URL,
  headers: Record<string, string>,
  method: ApiRequest["method"],
  body: Buffer | null,
): Promise<Dispatcher.ResponseData> {
  const { upstream, dispatcher, signal } = call;
  try {
    return await dispatcher.request({ origin: url.origin, path: `${url.pathname}${url.search}`, method, headers, body, signal });
  } catch (error) {
    throw failure(upstream, error, signal);
  }
}

async function answerOf({ upstream, signal }: ApiCall, response: Dispatcher.ResponseData): Promise<ApiAnswer> {
  const status = response.statusCode;
  const mediaType = (headerOf(response, "content-type").split(";")[0] ?? "").trim().toLowerCase();
  try {
    const reading = await readBody(response.body, headerOf(response, "content-encoding"), maxMessageBytes);
    if (reading.type === "read") return { status, mediaType, body: reading.body };
    const why =
      reading.type === "too-large" ? `more than ${maxMessageBytes / 1024 / 1024} MB` : "a body that is compressed in an unknown way";
    throw new RemitError("upstream-error", `upstream "${upstream}" answered HTTP ${status} with ${why}; the answer was dropped`);
  } catch (error) {
    throw failure(upstream, error, signal);
  }
}

function failure(upstream: string, error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  if (RemitError.is(error)) return error;
  const code = (error as { code?: unknown }).code;
  if (typeof code === "string" && notConnected.has(code))
    return new RemitError("upstream-unavailable", `upstream "${upstream}" cannot be reached (${code}); nothing was sent`, { cause: error });
  const text = printable(error instanceof Error ? error.message : String(error));
  return new RemitError(
    "outcome-unknown",
    `the call was sent to upstream "${upstream}", then its connection broke (${text}); whether it was done is not known`,
    { cause: error },
  );
}

function urlOf({ baseUrl, credential }: ApiCall, request: ApiRequest): URL {
  const taken = new Set(credential.query.map(([name]) => name));
  // A credential's own name is no argument's.
  const query = [...request.query.filter(([name]) => !taken.has(name)), ...credential.query].map((pair) => pair.join("=")).join("&");
  const text = callUrl(baseUrl, request.path);
  const url = new URL(query === "" ? text : `${text}?${query}`);
  // What the parser of URLs has taken away or put in, the arguments have smuggled.
  if (url.origin !== baseUrl.origin || url.pathname.split("/").length !== text.slice(baseUrl.origin.length).split("/").length)
    throw new RemitError("invalid-arguments", "The arguments would lead out of the path of the operation.");
  return url;
}

function headersOf(call: ApiCall, request: ApiRequest, body: { mediaType: string } | null): Record<string, string> {
  const { cookies } = request;
  return {
    ...request.headers,
    accept: "application/json, */*;q=0.5",
    "accept-encoding": "gzip, br",
    "user-agent": "remit",
    ...(call.traceparent === null ? {} : { traceparent: call.traceparent }),
    ...(body === null ? {} : { "content-type": body.mediaType }),
    ...(cookies.length === 0 ? {} : { cookie: cookies.map((pair) => pair.join("=")).join("; ") }),
    ...call.credential.headers,
  };
}

function encodeBody(body: RequestBody): { mediaType: string; bytes: Buffer } | null {
  switch (body.type) {
    case "none":
      return null;
    case "text":
      return { mediaType: body.mediaType, bytes: Buffer.from(body.content) };
    case "base64":
      return { mediaType: body.mediaType, bytes: bytesOf(body.content) };
    case "multipart": {
      const boundary = `remit-${randomBytes(16).toString("hex")}`;
      const parts = body.parts.flatMap((part) => {
        const name = quoted(part.name);
        const file = part.encoding === "base64" ? `; filename="${name}"` : "";
        const type =
          part.encoding === "base64"
            ? "application/octet-stream"
            : part.encoding === "json"
              ? "application/json"
              : "text/plain; charset=utf-8";
        const head = `--${boundary}\r\ncontent-disposition: form-data; name="${name}"${file}\r\ncontent-type: ${type}\r\n\r\n`;
        const content = part.encoding === "base64" ? bytesOf(part.content) : Buffer.from(part.content);
        return [Buffer.from(head), content, Buffer.from("\r\n")];
      });
      return {
        mediaType: `multipart/form-data; boundary=${boundary}`,
        bytes: Buffer.concat([...parts, Buffer.from(`--${boundary}--\r\n`)]),
      };
    }
  }
}

function bytesOf(base64: string): Buffer {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(base64))
    throw new RemitError("invalid-arguments", "The arguments do not fit the request: bytes are given in base64.");
  return Buffer.from(base64, "base64");
}

/** As HTML forms do it: nothing in a name can end the header that it stands in. */
function quoted(name: string): string {
  return name.replaceAll('"', "%22").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

function headerOf(response: Dispatcher.ResponseData, name: string): string {
  const value = response.headers[name];
  return (Array.isArray(value) ? value[0] : value) ?? "";
}
