import { lookup as systemLookup } from "node:dns/promises";
import { isIP } from "node:net";
import type { LookupFunction } from "node:net";
import { Agent } from "undici";
import { createAddressRules } from "./outbound-address.ts";
import type { AddressRules, CheckedAddress } from "./outbound-address.ts";
import type { Outbound, OutboundRefusal, OutboundRequest, OutboundResult } from "./outbound.ts";
import { readBody } from "./read-body.ts";
import { orAbort } from "./or-abort.ts";

export type OutboundOptions = {
  /** Ranges that are let through although they are not the Internet: `127.0.0.0/8` while developing, a company's own network. */
  allow?: readonly string[];
  /** All addresses of a name. Default: the system's resolver. */
  lookup?: (name: string) => Promise<readonly CheckedAddress[]>;
};

type Refused = Extract<OutboundResult, { type: "refused" }>;
type Headers = Readonly<Record<string, string>>;

const defaultMaxBytes = 1024 * 1024;
const defaultTimeoutMs = 5_000;
const redirectStatuses = new Set([301, 302, 303, 307, 308]);

/** @throws RemitError `invalid-configuration` when a range of `allow` is none. */
export function createOutbound(options: OutboundOptions = {}): Outbound {
  const rules = createAddressRules(options.allow);
  const lookup = options.lookup ?? resolveBySystem;

  return {
    async fetch(request) {
      const ended = new AbortController();
      const timer = setTimeout(() => ended.abort(lateReason), request.timeoutMs ?? defaultTimeoutMs);
      const signal = request.signal === undefined ? ended.signal : AbortSignal.any([ended.signal, request.signal]);
      try {
        return await follow(request, { rules, lookup, signal });
      } catch (error) {
        if (ended.signal.aborted) return refused("timeout", "The address gave no whole answer in time");
        if (request.signal?.aborted === true) throw error;
        return refused("unreachable", "The address could not be reached, or broke off");
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

const lateReason = new Error("out of time");

type Ways = {
  rules: AddressRules;
  lookup: (name: string) => Promise<readonly CheckedAddress[]>;
  signal: AbortSignal;
};

async function follow(request: OutboundRequest, ways: Ways): Promise<OutboundResult> {
  let url = readUrl(request.url);
  if (url === null) return refused("url", "The address must be an absolute https URL without a user name, a password and a fragment");
  let headers = lowerCased(request.headers ?? {});
  for (let redirects = 0; ; redirects += 1) {
    const addresses = await checkAddresses(url, ways);
    if ("type" in addresses) return redirects === 0 ? addresses : { ...addresses, refusal: "redirect" };
    const hop = await send(url, addresses, { ...request, headers }, ways);
    if (hop.type !== "redirected") return hop;
    if (request.method === "POST" || redirects >= (request.maxRedirects ?? 0)) {
      return refused("redirect", "The address sends on to another one, which is not followed");
    }
    const next: URL | null = readUrl(hop.location, url);
    if (next === null) return refused("redirect", "The address sends on to one that is not usable");
    if (next.protocol === "http:" && url.protocol === "https:") return refused("redirect", "The address sends on to one without TLS");
    // What was meant for one server is not for the next.
    if (next.origin !== url.origin) headers = withoutSecrets(headers);
    url = next;
  }
}

/** Asks for the addresses of a name once. One that may not be reached among them refuses them all: no public server has such a one. */
async function checkAddresses(url: URL, { rules, lookup, signal }: Ways): Promise<readonly CheckedAddress[] | Refused> {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const literal = isIP(host);
  const addresses =
    literal === 0 ? await orAbort(lookup(host), signal) : [{ address: host, family: literal === 4 ? (4 as const) : (6 as const) }];
  if (addresses.length === 0) return refused("unreachable", `There is no address for ${host}`);
  for (const { address } of addresses) {
    const refusal = rules.refusalOf(address);
    if (refusal === null) continue;
    // What the name stands for inside is not told: the answer would be a map of the network.
    return refused("address", literal === 0 ? `${host} is not a server on the Internet` : `${host} may not be reached: ${refusal}`);
  }
  if (url.protocol === "http:" && !addresses.every(({ address }) => rules.isAllowedLoopback(address))) {
    return refused("url", "The address must be an https URL");
  }
  return addresses;
}

async function send(
  url: URL,
  addresses: readonly CheckedAddress[],
  request: OutboundRequest & { headers: Headers },
  ways: Ways,
): Promise<OutboundResult | { type: "redirected"; location: string }> {
  // A dispatcher for this hop alone: it knows no other address than the checked ones, and no connection outlives the check.
  const dispatcher = new Agent({
    connect: { lookup: answering(addresses) },
    connections: 1,
    pipelining: 0,
    allowH2: false,
    maxHeaderSize: 16 * 1024,
  });
  try {
    const response = await dispatcher.request({
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      method: request.method ?? "GET",
      headers: {
        accept: request.accept.filter((type) => !type.startsWith("+")).join(", "),
        ...request.headers,
        "accept-encoding": "gzip, br",
      },
      body: request.body ?? null,
      signal: ways.signal,
    });
    const headers = flat(response.headers);
    // A body that is not read to its end is broken off with the dispatcher; nobody is to be told that.
    response.body.on("error", () => undefined);
    if (redirectStatuses.has(response.statusCode) && headers["location"] !== undefined) {
      return { type: "redirected", location: headers["location"] };
    }
    if (request.statusOnly === true) {
      return { type: "fetched", url: url.href, status: response.statusCode, mediaType: "", headers, body: Buffer.alloc(0) };
    }
    const maxBytes = request.maxBytes ?? defaultMaxBytes;
    if (Number(headers["content-length"] ?? 0) > maxBytes) {
      return refused("too-large", tooLarge(maxBytes));
    }
    const mediaType = (headers["content-type"] ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
    const { statusCode: status } = response;
    if (!isAccepted(mediaType, request.accept)) {
      // The page that a proxy shows for an error is not what was asked for, and is not read.
      if (status < 200 || status > 299) return { type: "fetched", url: url.href, status, mediaType, headers, body: Buffer.alloc(0) };
      return refused("media-type", `The document is not of a type that is taken: ${request.accept.join(", ")}`);
    }
    const reading = await readBody(response.body, headers["content-encoding"] ?? "", maxBytes);
    if (reading.type === "too-large") return refused("too-large", tooLarge(maxBytes));
    if (reading.type === "encoding") return refused("encoding", "The document is compressed in a way that is not taken");
    return { type: "fetched", url: url.href, status, mediaType, headers, body: reading.body };
  } finally {
    void dispatcher.destroy();
  }
}

/** A resolver that knows one answer: what is connected to is what was checked, whatever the name stands for by now. */
function answering(addresses: readonly CheckedAddress[]): LookupFunction {
  return (_name, options, callback) => {
    const [first] = addresses;
    if (options.all === true || first === undefined) callback(null, [...addresses]);
    else callback(null, first.address, first.family);
  };
}

async function resolveBySystem(name: string): Promise<readonly CheckedAddress[]> {
  const found = await systemLookup(name, { all: true, order: "verbatim" });
  return found.map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 }));
}

/** Null for what is not fetched: another scheme, credentials, a fragment (a redirect may have one; it says nothing to the server). */
function readUrl(text: string, base?: URL): URL | null {
  if (!URL.canParse(text, base?.href)) return null;
  const url = new URL(text, base);
  if (url.protocol !== "https:" && url.protocol !== "http:") return null;
  if (url.username !== "" || url.password !== "" || url.hostname === "") return null;
  if (base === undefined && url.hash !== "") return null;
  url.hash = "";
  return url;
}

function isAccepted(mediaType: string, accept: readonly string[]): boolean {
  return accept.some((one) => (one.startsWith("+") ? mediaType.endsWith(one) : mediaType === one));
}

function lowerCased(headers: Headers): Headers {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

function withoutSecrets(headers: Headers): Headers {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name === "accept" || name === "user-agent"));
}

function flat(headers: Record<string, string | string[] | undefined>): Headers {
  const named = Object.entries(headers).map(([name, value]) => [
    name.toLowerCase(),
    Array.isArray(value) ? value.join(", ") : (value ?? ""),
  ]);
  return Object.fromEntries(named) as Headers;
}

function tooLarge(maxBytes: number): string {
  return `The document is larger than ${maxBytes} bytes`;
}

function refused(refusal: OutboundRefusal, reason: string): Refused {
  return { type: "refused", refusal, reason };
}
