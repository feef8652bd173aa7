import { RemitError } from "@remit/contract";

const loopbackNames = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** Which names this server answers to. */
export type OwnOrigins = { publicUrl: URL; allowedHosts?: readonly string[] };

/**
 * Refuses a request that a web page of somebody else could have made a browser send: one whose Host is not a name of ours
 * (DNS rebinding), or whose Origin is another site. Programs send no Origin; a browser sends it with every request that changes something.
 * @throws RemitError `forbidden`
 */
export function checkOrigin(
  headers: { host?: string | undefined; origin?: string | undefined; site?: string | undefined },
  own: OwnOrigins,
  safeMethod: boolean,
): void {
  const hostname = hostnameOf(headers.host);
  if (hostname === null || !isOwnHost(hostname, own)) {
    throw new RemitError("forbidden", "This server does not answer to the host name of the request; see publicUrl and allowedHosts");
  }
  if (headers.origin !== undefined && !isOwnOrigin(headers.origin, headers.host, own)) {
    throw new RemitError("forbidden", "The request comes from a page of another site");
  }
  // `none` is a person typing the address; a link on another page may lead here, but may not change anything.
  if (!safeMethod && headers.site !== undefined && headers.site !== "same-origin" && headers.site !== "none") {
    throw new RemitError("forbidden", "The request comes from a page of another site");
  }
}

function isOwnHost(hostname: string, own: OwnOrigins): boolean {
  return loopbackNames.has(hostname) || hostname === own.publicUrl.hostname || (own.allowedHosts ?? []).includes(hostname);
}

function isOwnOrigin(origin: string, host: string | undefined, own: OwnOrigins): boolean {
  if (origin === own.publicUrl.origin) return true;
  const url = URL.parse(origin);
  return url !== null && (url.protocol === "http:" || url.protocol === "https:") && url.host === host?.toLowerCase();
}

/** Requests come to one name, mostly: it need not be taken apart for each. */
let lastRead: { host: string | undefined; hostname: string | null } = { host: undefined, hostname: null };

function hostnameOf(host: string | undefined): string | null {
  if (host !== lastRead.host) lastRead = { host, hostname: readHostname(host) };
  return lastRead.hostname;
}

function readHostname(host: string | undefined): string | null {
  if (host === undefined || !/^[A-Za-z0-9.[\]:-]+$/.test(host)) return null;
  return URL.parse(`http://${host}`)?.hostname ?? null;
}
