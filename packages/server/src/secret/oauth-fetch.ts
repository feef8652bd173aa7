import type { Outbound } from "../outbound/outbound.ts";

/** What the functions of the protocol fetch with. */
export type OAuthFetch = (url: string | URL, init?: RequestInit) => Promise<Response>;

const maxBytes = 1024 * 1024;
const timeoutMs = 10_000;

/**
 * Addresses that a registry names (`trusted` origins: the upstream, a configured issuer) are reached wherever they are; every other one
 * is somebody else's word, and reaches the Internet only.
 */
export function createOAuthFetch(outbound: Outbound, trusted: readonly string[]): OAuthFetch {
  return async (input, init = {}) => {
    const url = new URL(input);
    const headers = Object.fromEntries(new Headers(init.headers));
    const body = init.body instanceof URLSearchParams ? init.body.toString() : typeof init.body === "string" ? init.body : undefined;
    if (init.body instanceof URLSearchParams) headers["content-type"] ??= "application/x-www-form-urlencoded";
    const method = init.method === "POST" ? "POST" : "GET";
    if (trusted.includes(url.origin)) return await fetchTrusted(url, { method, headers, ...(body === undefined ? {} : { body }) });
    const result = await outbound.fetch({
      url: url.href,
      method,
      headers,
      ...(body === undefined ? {} : { body }),
      accept: ["application/json", "+json"],
      maxBytes,
      timeoutMs,
      maxRedirects: method === "GET" ? 2 : 0,
    });
    // Not a TypeError: the SDK takes that for a browser's CORS and asks again.
    if (result.type === "refused") throw new Error(`${url.origin}: ${result.reason}`);
    const empty = [204, 205, 304].includes(result.status);
    return new Response(empty ? null : new Uint8Array(result.body), { status: result.status, headers: result.headers });
  };
}

async function fetchTrusted(url: URL, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { ...init, redirect: "error", signal: AbortSignal.timeout(timeoutMs) });
  } catch (error) {
    throw new Error(`${url.origin} could not be reached`, { cause: error });
  }
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body ?? []) {
    bytes += part.length;
    if (bytes > maxBytes) throw new Error(`${url.origin} answered with more than ${maxBytes} bytes`);
    parts.push(part);
  }
  const empty = [204, 205, 304].includes(response.status);
  const headers = new Headers(response.headers);
  headers.delete("content-encoding");
  headers.delete("content-length");
  return new Response(empty ? null : Buffer.concat(parts), { status: response.status, headers });
}
