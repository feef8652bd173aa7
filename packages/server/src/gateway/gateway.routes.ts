import type { Caller } from "@remit/contract";
import { errorTable, gatewayScope, RemitError } from "@remit/contract";
import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from "fastify";
import type { App } from "../http/http-app.ts";
import { toRemitError } from "../http/problem.ts";
import type { Callers } from "../identity/callers.ts";
import type { Challenge } from "../identity/resource.ts";
import { createResource, wwwAuthenticate } from "../identity/resource.ts";
import { rpcCodes } from "../mcp/mcp-protocol.ts";
import { createEventStream } from "./event-stream.ts";
import type { Exchange } from "./exchange.ts";
import type { Answer, Gateway, GatewayDeps } from "./gateway.service.ts";
import { createGateway } from "./gateway.service.ts";
import { errorBody, refusalOf } from "./refusal.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Who its token says that it comes from, on the routes of the gateway. */
    caller: Caller | null;
  }
}

export type GatewayRoutesDeps = GatewayDeps & {
  callers: Pick<Callers, "verify">;
  publicUrl: URL;
  /** Bytes. */
  bodyLimit?: number;
};

/**
 * The MCP face: `/mcp` for every upstream, `/mcp/<upstream>` for one. A POST is answered with one message or, where there is something to
 * tell on the way, with a stream; GET and DELETE are for clients that have a session.
 */
export function registerGateway(app: App, deps: GatewayRoutesDeps): Pick<Gateway, "toolsChanged"> {
  const gateway = createGateway(deps);
  const { audience } = createResource(deps.publicUrl);
  const bodyLimit = deps.bodyLimit ?? 1024 * 1024;

  function addressOf(request: FastifyRequest): string {
    const { upstream } = request.params as { upstream?: string };
    return upstream === undefined ? audience : `${audience}/${upstream}`;
  }

  /** Before the body is read: a stranger's bytes are not worth parsing. */
  function identify(request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction): void {
    const letIn = (caller: Caller): void => {
      request.caller = caller;
      done();
    };
    try {
      deps.callers.verify(tokenOf(request), audience).then(letIn, (error) => turnAway(error, request, reply, done));
    } catch (error) {
      turnAway(error, request, reply, done);
    }
  }

  function turnAway(error: unknown, request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction): void {
    const challenge = challengeOf(request, toRemitError(error));
    if (challenge !== null) void reply.header("www-authenticate", wwwAuthenticate(addressOf(request), challenge));
    done(error as Error);
  }

  /** What every request has: who, where, and a signal that ends with the client. */
  function exchangeOf(request: FastifyRequest, reply: FastifyReply): Exchange {
    const { body, caller, headers } = request;
    if (caller === null) throw new RemitError("unauthenticated", "The request carries no token");
    const { upstream = null } = request.params as { upstream?: string };
    if (upstream !== null && !knows(deps, upstream)) throw new RemitError("not-found", `There is no upstream "${upstream}" here`);
    const stream = createEventStream(reply.raw, headers.accept, () => void reply.hijack());
    return { caller, address: { upstream }, body, headers, signal: new AbortController(), stream };
  }

  async function answer(request: FastifyRequest, reply: FastifyReply): Promise<Body> {
    const exchange = exchangeOf(request, reply);
    let isAnswered = false;
    reply.raw.on("close", () => {
      if (!isAnswered && !exchange.stream.outlives()) exchange.signal.abort();
    });
    try {
      const answered = await gateway.answer(exchange);
      // Who would rather have a stream says so by naming it first. What is no success needs its status, and no stream has one.
      if (answered.status === 200 && answered.headers === undefined && prefersStream(request)) exchange.stream.open();
      if (!exchange.stream.isOpen()) {
        exchange.stream.end();
        const { challenge } = answered;
        if (challenge !== undefined) void reply.header("www-authenticate", wwwAuthenticate(addressOf(request), challenge));
        return bodyOf(answered, reply);
      }
      exchange.stream.end(answered.body ?? undefined);
      return undefined;
    } finally {
      isAnswered = true;
      exchange.stream.end();
    }
  }

  async function attach(request: FastifyRequest, reply: FastifyReply): Promise<Body> {
    const exchange = exchangeOf(request, reply);
    reply.raw.once("close", () => exchange.signal.abort());
    const refused = gateway.attach(exchange);
    return refused === null ? undefined : bodyOf(refused, reply);
  }

  async function leave(request: FastifyRequest, reply: FastifyReply): Promise<Body> {
    return bodyOf(gateway.leave(exchangeOf(request, reply)), reply);
  }

  /** What Fastify is to send, once status and headers are set: for a reply that is returned it would wait all over again. */
  function bodyOf({ status, body, headers }: Answer, reply: FastifyReply): Body {
    void reply.code(status);
    if (headers !== undefined) void reply.headers(headers);
    if (body === null) return undefined;
    void reply.type(json);
    return body;
  }

  app.decorateRequest("caller", null);
  void app.register(async (scope) => {
    scope.setErrorHandler((thrown, request, reply) => {
      const error = toRemitError(thrown);
      // What the body's parser refuses comes with where it is, and before there is a parsed body.
      const unparsed = error.code === "invalid-request" && request.body === undefined && error.issues.length > 0;
      const refusal = unparsed ? { ...refusalOf(error), code: rpcCodes.parseError } : refusalOf(error);
      if (refusal.http >= 500) request.log.error({ err: thrown, requestId: request.id, code: error.code }, "gateway request failed");
      return reply
        .code(refusal.http)
        .type(json)
        .send(errorBody(refusal, idOf(request.body)));
    });
    for (const url of ["/mcp", "/mcp/:upstream"]) {
      const options = { onRequest: identify, schema: { hide: true } };
      scope.post(url, { ...options, bodyLimit }, answer);
      scope.get(url, { ...options, exposeHeadRoute: false }, attach);
      scope.delete(url, options, leave);
    }
    // Streams do not end by themselves, and a server that stops waits for what is open.
    scope.addHook("preClose", async () => gateway.close());
  });
  return gateway;
}

/** Undefined: none, or the answer is a stream. */
type Body = string | undefined;

/** Whole: Fastify would put the charset behind it anew for each answer. */
const json = "application/json; charset=utf-8";

function prefersStream(request: FastifyRequest): boolean {
  return request.headers.accept?.trimStart().startsWith("text/event-stream") ?? false;
}

// Counted in the expression, each character would cost twice as much.
const maxTokenLength = 8_192;

function tokenOf(request: FastifyRequest): string {
  if (/[?&]access_token=/i.test(request.url)) {
    throw new RemitError("invalid-request", "A token in the address ends up in logs; send it as the header Authorization: Bearer");
  }
  const token = /^Bearer +([\w.~+/-]+=*) *$/i.exec(request.headers.authorization ?? "")?.[1];
  if (token === undefined || token.length > maxTokenLength)
    throw new RemitError("unauthenticated", "Send an access token as the header Authorization: Bearer");
  return token;
}

function challengeOf(request: FastifyRequest, error: RemitError): Challenge | null {
  if (error.code === "forbidden") return { type: "insufficient-scope", scopes: [gatewayScope], reason: error.message };
  if (errorTable[error.code].http !== 401) return null;
  return request.headers.authorization === undefined ? { type: "no-token" } : { type: "invalid-token", reason: error.message };
}

function knows(deps: GatewayRoutesDeps, upstream: string): boolean {
  return deps.registry.current().upstreams.has(upstream);
}

function idOf(body: unknown): string | number | null {
  const id: unknown = typeof body === "object" && body !== null ? (body as { id?: unknown }).id : null;
  return typeof id === "string" || typeof id === "number" ? id : null;
}
