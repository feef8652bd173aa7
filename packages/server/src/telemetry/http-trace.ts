import type { FastifyRequest } from "fastify";
import type { App } from "../http/http-app.ts";
import type { CurrentTrace } from "./current-trace.ts";
import type { Span, Tracing } from "./tracing.ts";

/** Agents' calls are traced as actions; these are asked every few seconds and change nothing. */
const untraced = /^\/(?:mcp(?:\/|$)|livez$|readyz$|metrics$)/;

/**
 * What people and programs do over HTTP is done in a trace: the one that the request says it is part of, or its own. Entries made in the
 * course of it carry its id. A `traceparent` is only an id to go on with; nothing is believed because of it, and nothing else is taken over.
 */
export function traceRequests(app: App, { tracing, current }: { tracing: Tracing; current: CurrentTrace }): void {
  const spans = new WeakMap<FastifyRequest, Span>();
  // After the body: what reads it has a course of its own.
  app.addHook("preHandler", (request, _reply, done) => {
    const { route } = request;
    if (untraced.test(route)) return done();
    const { traceparent } = request.headers;
    const span = tracing.start(`${request.method} ${route}`, {
      service: null,
      parent: typeof traceparent === "string" ? traceparent : null,
      kind: "server",
      attributes: { "http.request.method": request.method, "http.route": route },
    });
    spans.set(request, span);
    current.run(span.traceId, done);
  });
  app.addHook("onResponse", (request, reply, done) => {
    const span = spans.get(request);
    if (span === undefined) return done();
    const status = reply.statusCode;
    span.set({ "http.response.status_code": status, ...(status >= 500 ? { "error.type": String(status) } : {}) });
    span.end(status >= 500 ? String(status) : undefined);
    done();
  });
}
