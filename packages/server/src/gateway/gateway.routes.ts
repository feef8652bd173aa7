import type { Caller } from "@remit/contract";
import { errorTable, gatewayScope, RemitError } from "@remit/contract";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { App } from "../http/http-app.ts";
import { toRemitError } from "../http/problem.ts";
import type { Callers } from "../identity/callers.ts";
import { rpcCodes } from "../mcp/mcp-protocol.ts";
import type { GatewayDeps } from "./gateway.service.ts";
import { createGateway } from "./gateway.service.ts";
import { errorBody, refusalOf } from "./refusal.ts";

export type GatewayRoutesDeps = GatewayDeps & {
  callers: Pick<Callers, "verify">;
  publicUrl: URL;
  /** Bytes. */
  bodyLimit?: number;
};

/** The MCP face: `/mcp` for every upstream, `/mcp/<upstream>` for one. POST only: nothing is pushed, and there are no sessions. */
export function registerGateway(app: App, deps: GatewayRoutesDeps): void {
  const gateway = createGateway(deps);
  const resource = new URL("/mcp", deps.publicUrl);
  const challenge = challengeFor(resource);
  const callers = new WeakMap<FastifyRequest, Caller>();
  const bodyLimit = deps.bodyLimit ?? 1024 * 1024;

  async function identify(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    // Before the body is read: a stranger's bytes are not worth parsing.
    try {
      callers.set(request, await deps.callers.verify(tokenOf(request), resource.href));
    } catch (error) {
      const known = toRemitError(error);
      const wrong = request.headers.authorization === undefined ? null : "invalid_token";
      if (errorTable[known.code].http === 401) void reply.header("www-authenticate", challenge(wrong, known));
      if (known.code === "forbidden") void reply.header("www-authenticate", challenge("insufficient_scope", known));
      throw error;
    }
  }

  async function answer(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const caller = callers.get(request);
    if (caller === undefined) throw new RemitError("unauthenticated", "The request carries no token");
    const { upstream = null } = request.params as { upstream?: string };
    if (upstream !== null && !knows(deps, upstream)) throw new RemitError("not-found", `There is no upstream "${upstream}" here`);
    const signal = new AbortController();
    const gone = () => signal.abort();
    reply.raw.once("close", gone);
    try {
      const { status, body } = await gateway.answer({
        caller,
        address: { upstream },
        body: request.body,
        headers: request.headers,
        signal,
      });
      void reply.code(status);
      return body === null ? reply.send() : reply.type("application/json").send(body);
    } finally {
      reply.raw.removeListener("close", gone);
    }
  }

  void app.register(async (scope) => {
    scope.setErrorHandler((thrown, request, reply) => {
      const error = toRemitError(thrown);
      // What the body's parser refuses comes with where it is, and before there is a parsed body.
      const unparsed = error.code === "invalid-request" && request.body === undefined && error.issues.length > 0;
      const refusal = unparsed ? { ...refusalOf(error), code: rpcCodes.parseError } : refusalOf(error);
      if (refusal.http >= 500) request.log.error({ err: thrown, requestId: request.id, code: error.code }, "gateway request failed");
      return reply
        .code(refusal.http)
        .type("application/json")
        .send(errorBody(refusal, idOf(request.body)));
    });
    for (const url of ["/mcp", "/mcp/:upstream"]) scope.post(url, { bodyLimit, onRequest: identify, schema: { hide: true } }, answer);
  });
}

function tokenOf(request: FastifyRequest): string {
  if (/[?&]access_token=/i.test(request.url)) {
    throw new RemitError("invalid-request", "A token in the address ends up in logs; send it as the header Authorization: Bearer");
  }
  const token = /^Bearer +([A-Za-z0-9._~+/-]{1,8192}=*) *$/i.exec(request.headers.authorization ?? "")?.[1];
  if (token === undefined) throw new RemitError("unauthenticated", "Send an access token as the header Authorization: Bearer");
  return token;
}

/** RFC 6750, 3 and RFC 9728, 5.1. */
function challengeFor(resource: URL): (error: "invalid_token" | "insufficient_scope" | null, reason: RemitError) => string {
  const metadata = new URL(`/.well-known/oauth-protected-resource${resource.pathname}`, resource);
  const start = `Bearer resource_metadata="${metadata.href}", scope="${gatewayScope}"`;
  return (error, reason) => {
    if (error === null) return start;
    // A quoted-string: only what can end neither it nor the header.
    const description = reason.message.replaceAll(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, " ");
    return `${start}, error="${error}", error_description="${description}"`;
  };
}

function knows(deps: GatewayRoutesDeps, upstream: string): boolean {
  return deps.registry.current().upstreams.has(upstream);
}

function idOf(body: unknown): string | number | null {
  const id: unknown = typeof body === "object" && body !== null ? (body as { id?: unknown }).id : null;
  return typeof id === "string" || typeof id === "number" ? id : null;
}
