import { parseCookie, stringifySetCookie } from "cookie";
import type { FastifyReply, FastifyRequest } from "fastify";

export const sessionCookie = "remit_session";

/** The token of the browser's session. Read where it is asked for: most requests come from programs, which have none. */
export function sessionCookieOf({ headers }: FastifyRequest): string | undefined {
  return headers.cookie === undefined ? undefined : parseCookie(headers.cookie)[sessionCookie];
}

export function setSessionCookie(reply: FastifyReply, token: string, options: { expires: Date; secure: boolean }): FastifyReply {
  const cookie = { name: sessionCookie, value: token, path: "/", httpOnly: true, sameSite: "strict", ...options } as const;
  return reply.header("set-cookie", stringifySetCookie(cookie));
}

export function clearSessionCookie(reply: FastifyReply): FastifyReply {
  const cookie = { name: sessionCookie, value: "", path: "/", sameSite: "lax", expires: new Date(0), maxAge: 0 } as const;
  return reply.header("set-cookie", stringifySetCookie(cookie));
}
