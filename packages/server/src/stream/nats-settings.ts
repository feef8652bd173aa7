import { readFileSync } from "node:fs";
import { RemitError } from "@remit/contract";

/** How NATS is reached, and what events are called there. */
export type NatsSettings = {
  servers: string[];
  stream: string;
  /** What begins every subject. */
  prefix: string;
  /** Makes the stream where there is none. */
  createStream: boolean;
  token?: string;
  credentials?: Buffer;
  ca?: string;
};

/**
 * From the environment; null where nobody has named a server.
 * @throws RemitError `invalid-configuration`
 */
export function readNatsSettings(environment: Readonly<Record<string, string | undefined>>): NatsSettings | null {
  const given = (name: string): string | undefined => environment[name]?.trim() || undefined;
  const urls = given("REMIT_NATS_URL");
  if (urls === undefined) return null;
  const servers = urls.split(",").map((url) => url.trim());
  for (const server of servers) {
    if (!/^(nats|tls):\/\/[^/@\s]+$/.test(server)) {
      throw wrong("REMIT_NATS_URL", "expected nats://host:port or tls://host:port, several divided by commas, without a password");
    }
  }
  const stream = given("REMIT_NATS_STREAM") ?? "REMIT";
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(stream)) throw wrong("REMIT_NATS_STREAM", "expected letters, digits, - and _");
  const prefix = given("REMIT_NATS_PREFIX") ?? "remit";
  if (!/^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/.test(prefix))
    throw wrong("REMIT_NATS_PREFIX", "expected the beginning of a subject, such as remit");
  const create = given("REMIT_NATS_CREATE_STREAM") ?? "no";
  if (create !== "yes" && create !== "no") throw wrong("REMIT_NATS_CREATE_STREAM", "expected yes or no");
  const token = given("REMIT_NATS_TOKEN");
  const credentials = given("REMIT_NATS_CREDENTIALS");
  const ca = given("REMIT_NATS_CA");
  return {
    servers,
    stream,
    prefix,
    createStream: create === "yes",
    ...(token === undefined ? {} : { token }),
    ...(credentials === undefined ? {} : { credentials: file("REMIT_NATS_CREDENTIALS", credentials) }),
    ...(ca === undefined ? {} : { ca: file("REMIT_NATS_CA", ca).toString() }),
  };
}

function file(name: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new RemitError("invalid-configuration", `${name}: the file ${path} cannot be read`, { cause });
  }
}

function wrong(name: string, what: string): RemitError {
  return new RemitError("invalid-configuration", `${name}: ${what}`);
}
