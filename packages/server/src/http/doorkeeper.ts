import type { Person, Role } from "@remit/contract";
import { RemitError } from "@remit/contract";
import { holdsRole } from "@remit/core";
import type { FastifyRequest } from "fastify";
import { sessionCookieOf } from "./session-cookie.ts";

/** What the door asks of identity. */
export type Doorkeeper = {
  /** The person of a live session, or null. */
  person(sessionToken: string): Promise<Person | null>;
  /** Is this the key of whoever owns the data folder? */
  isMachine(key: string): boolean;
  /** The CSRF token of a session: what a page of ours can know and a page of another site cannot. */
  csrfToken(sessionToken: string): string;
  isCsrfToken(sessionToken: string, token: string): boolean;
  /** Notes that somebody was turned away. */
  refused(refusal: { actor: string; code: string; reason: string; method: string; route: string }): void;
};

/** Whoever owns the data folder, as the actor of an entry. */
export const machineActor = "service:machine";
/** Somebody who has proven nothing. */
export const unknownActor = "service:unknown";

/** The field of an HTML form, and the header of a script, that carry the CSRF token. */
export const csrfField = "csrf";
export const csrfHeader = "x-remit-csrf";

type Credential = { type: "session"; token: string; viaCookie: boolean } | { type: "machine"; key: string } | { type: "none" };

/**
 * The person who asks. `role`: any one of these is enough; without it, any live session is.
 * A change that a browser's cookie authorises needs the CSRF token besides.
 * @throws RemitError `unauthenticated` | `forbidden`
 */
export async function requirePerson(request: FastifyRequest, wanted: { role?: readonly Role[] } = {}): Promise<Person> {
  const credential = credentialOf(request);
  if (credential.type !== "session") throw turnAway(request, unknownActor, "unauthenticated", "Log in first: remit login");
  const person = await request.server.doorkeeper.person(credential.token);
  if (person === null) throw turnAway(request, unknownActor, "unauthenticated", "The session has ended; log in again: remit login");
  if (credential.viaCookie && !isSafe(request.method) && !request.server.doorkeeper.isCsrfToken(credential.token, csrfOf(request))) {
    throw turnAway(request, `party:${person.party}`, "forbidden", "The form is not one of this session; load the page again");
  }
  const roles = wanted.role ?? [];
  if (!holdsRole(person.roles, roles)) {
    throw turnAway(request, `party:${person.party}`, "forbidden", `This needs one of the roles ${roles.join(", ")}`);
  }
  return person;
}

/** The person of the session, or null where nobody is logged in: for pages that show a stranger something else. Checks no CSRF token. */
export async function findPerson(request: FastifyRequest): Promise<Person | null> {
  const credential = credentialOf(request);
  return credential.type === "session" ? request.server.doorkeeper.person(credential.token) : null;
}

/** Lets in only whoever owns the data folder. @throws RemitError `unauthenticated` */
export function requireMachine(request: FastifyRequest): void {
  const credential = credentialOf(request);
  if (credential.type === "machine" && request.server.doorkeeper.isMachine(credential.key)) return;
  throw turnAway(request, unknownActor, "unauthenticated", "This needs the machine key of the server's data folder");
}

/**
 * Whoever asks, as the actor of an entry: the machine, or a person with one of the roles. For what has to work before anybody can log in.
 * @throws RemitError `unauthenticated` | `forbidden`
 */
export async function requireActor(request: FastifyRequest, wanted: { role?: readonly Role[] } = {}): Promise<string> {
  if (credentialOf(request).type !== "machine") return `party:${(await requirePerson(request, wanted)).party}`;
  requireMachine(request);
  return machineActor;
}

/** The token of the session that the request came with, or null. */
export function sessionTokenOf(request: FastifyRequest): string | null {
  const credential = credentialOf(request);
  return credential.type === "session" ? credential.token : null;
}

/** The CSRF token that a form on this page has to send back in its field {@link csrfField}. */
export function csrfTokenFor(request: FastifyRequest): string {
  const token = sessionTokenOf(request);
  return token === null ? "" : request.server.doorkeeper.csrfToken(token);
}

function credentialOf(request: FastifyRequest): Credential {
  const header = request.headers.authorization;
  if (header !== undefined) {
    const match = /^(Bearer|Machine) ([A-Za-z0-9._~+/=-]{1,4096})$/i.exec(header);
    const value = match?.[2];
    if (match?.[1] === undefined || value === undefined) return { type: "none" };
    return match[1].toLowerCase() === "bearer" ? { type: "session", token: value, viaCookie: false } : { type: "machine", key: value };
  }
  const cookie = sessionCookieOf(request);
  return cookie === undefined ? { type: "none" } : { type: "session", token: cookie, viaCookie: true };
}

function csrfOf(request: FastifyRequest): string {
  const header = request.headers[csrfHeader];
  if (typeof header === "string") return header;
  const body: unknown = request.body;
  const field: unknown = typeof body === "object" && body !== null ? (body as Record<string, unknown>)[csrfField] : undefined;
  return typeof field === "string" ? field : "";
}

function isSafe(method: string): boolean {
  return method === "GET" || method === "HEAD" || method === "OPTIONS";
}

function turnAway(request: FastifyRequest, actor: string, code: "unauthenticated" | "forbidden", reason: string): RemitError {
  request.server.doorkeeper.refused({ actor, code, reason, method: request.method, route: request.routeOptions.url ?? "unknown" });
  return new RemitError(code, reason);
}
