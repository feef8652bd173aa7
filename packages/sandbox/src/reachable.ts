import { isIP } from "node:net";
import { RemitError } from "@remit/contract";

/** One place that a contained program may reach. */
export type Reachable = { host: string; port: number };

const portOfScheme: Readonly<Record<string, number>> = {
  "http:": 80,
  "https:": 443,
  "ws:": 80,
  "wss:": 443,
  "postgres:": 5432,
  "postgresql:": 5432,
  "mysql:": 3306,
  "redis:": 6379,
  "rediss:": 6379,
  "amqp:": 5672,
  "mongodb:": 27017,
  "smtp:": 25,
  "smtps:": 465,
  "nats:": 4222,
};

/**
 * The places that a registration names.
 * @param variables what `env:NAME` is looked up in; one that is not set names nothing
 * @throws RemitError `invalid-configuration`
 */
export function reachableOf(declared: readonly string[], variables: Readonly<Record<string, string | undefined>>): Reachable[] {
  const places = new Map<string, Reachable>();
  for (const text of declared) {
    const place = text.startsWith("env:") ? ofVariable(text.slice(4), variables) : ofText(text);
    if (place !== null) places.set(placeName(place), place);
  }
  return [...places.values()];
}

/** `api.example.com:443`. */
export function placeName({ host, port }: Reachable): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The place of a URL; null where its scheme has no port that we know and it names none. */
export function placeOfUrl(url: string): Reachable | null {
  if (!URL.canParse(url)) return null;
  const { protocol, hostname, port } = new URL(url);
  const number = port === "" ? portOfScheme[protocol] : Number(port);
  const host = hostname.replace(/^\[|\]$/g, "").toLowerCase();
  return number === undefined || host === "" ? null : checked({ host, port: number });
}

function ofVariable(name: string, variables: Readonly<Record<string, string | undefined>>): Reachable | null {
  const value = variables[name];
  if (value === undefined || value === "") return null;
  const place = placeOfUrl(value);
  if (place === null) {
    throw new RemitError("invalid-configuration", `sandbox.network names env:${name}, and that variable is no URL with a host and a port`);
  }
  return place;
}

function ofText(text: string): Reachable {
  const [host = "", port = "443"] = text.split(":");
  return checked({ host, port: Number(port) });
}

function checked(place: Reachable): Reachable {
  if (place.port < 1 || place.port > 65_535) throw new RemitError("invalid-configuration", `${placeName(place)} has no such port`);
  return place;
}

/** An address stands for itself: no name leads to it. */
export function isAddress(host: string): boolean {
  return isIP(host) !== 0;
}

export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}
