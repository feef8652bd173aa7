import { getCACertificates } from "node:tls";
import type { CredentialSpec } from "@remit/contract";
import { RemitError } from "@remit/contract";
import type { Material } from "./backend.ts";
import type { Lease } from "./broker.ts";

/** A credential in the form in which its upstream wants it, and everything in it that must not be repeated. */
export type Presented = Pick<Lease, "headers" | "query" | "env" | "tls"> & { secrets: string[] };

/** @throws RemitError `credential-unavailable`, naming the credential and not what is in it. */
export function present({ name, use }: CredentialSpec, material: Material, ca: string | null): Presented {
  const nothing: Presented = { headers: {}, query: {}, env: {}, tls: null, secrets: secretsOf(material) };
  if (material.anonymous === true) return nothing;
  const wanted = use.field ?? "value";
  const names = Object.keys(material.fields);
  const value = material.fields[wanted] ?? (use.field === undefined && names.length === 1 ? material.fields[names[0] ?? ""] : undefined);
  const fail = (what: string) => new RemitError("credential-unavailable", `the credential "${name}" ${what}; nothing was sent`);

  if (use.type === "basic") {
    const user = use.username ?? material.fields["username"];
    const password = use.field === undefined ? (value ?? material.fields["password"]) : value;
    if (user === undefined || password === undefined) throw fail("has no user name and password for HTTP Basic");
    if (user.includes(":")) throw fail("has a user name with a colon, which HTTP Basic cannot carry");
    const encoded = Buffer.from(`${user}:${password}`).toString("base64");
    return { ...nothing, headers: { authorization: `Basic ${encoded}` }, secrets: [...nothing.secrets, encoded] };
  }
  if (value === undefined) throw fail(`has no field "${wanted}"; it has ${names.join(", ") || "none"}`);
  switch (use.type) {
    case "bearer":
      return { ...nothing, headers: { authorization: `Bearer ${headerValue(value, fail)}` } };
    case "header":
      return { ...nothing, headers: { [use.name.toLowerCase()]: `${use.prefix}${headerValue(value, fail)}` } };
    case "query":
      return { ...nothing, query: { [use.name]: value } };
    case "env":
      if (value.includes("\0")) throw fail("holds a zero byte, which no environment variable can");
      return { ...nothing, env: { [use.name]: value } };
    case "client-certificate": {
      const key = /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]+?-----END [A-Z ]*PRIVATE KEY-----/.exec(value)?.[0];
      const certificate = value.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g)?.join("\n");
      if (key === undefined || certificate === undefined) throw fail("must hold a certificate and its private key, both in PEM");
      // A certificate is shown to everybody; only its key is secret.
      return { ...nothing, tls: { certificate, key, ca }, secrets: [key] };
    }
  }
}

function headerValue(value: string, fail: (what: string) => RemitError): string {
  // A final newline is how `echo` and editors end a file.
  const trimmed = value.replace(/\r?\n$/, "");
  if (!/^[\x20-\x7e\x80-\xff]+$/.test(trimmed)) throw fail("holds characters that no HTTP header can carry");
  return trimmed;
}

function secretsOf({ fields, open }: Material): string[] {
  return Object.entries(fields).flatMap(([name, value]) => {
    if (open.includes(name)) return [];
    const trimmed = value.trim();
    return trimmed === value ? [value] : [value, trimmed];
  });
}

/** A client certificate, as sockets want it. Further authorities are trusted besides the system's. */
export function tlsOptions({ certificate, key, ca }: NonNullable<Lease["tls"]>): { cert: string; key: string; ca?: string[] } {
  return { cert: certificate, key, ...(ca === null ? {} : { ca: [...getCACertificates("default"), ca] }) };
}

/** Several credentials of one upstream, as one. */
export function together(all: readonly Presented[]): Presented {
  return {
    headers: Object.assign({}, ...all.map(({ headers }) => headers)) as Record<string, string>,
    query: Object.assign({}, ...all.map(({ query }) => query)) as Record<string, string>,
    env: Object.assign({}, ...all.map(({ env }) => env)) as Record<string, string>,
    tls: all.find(({ tls }) => tls !== null)?.tls ?? null,
    secrets: all.flatMap(({ secrets }) => secrets),
  };
}
