import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import swagger from "@fastify/swagger";
import { errorTable, RemitError } from "@remit/contract";
import { fastify, LogController } from "fastify";
import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest, RawServerDefault } from "fastify";
import { jsonSchemaTransform } from "fastify-type-provider-zod";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import type { Logger } from "../log/logger.ts";
import type { Doorkeeper } from "./doorkeeper.ts";
import { createAllowedMethods } from "./allowed-methods.ts";
import { problemOf, toRemitError } from "./problem.ts";
import { createReadiness } from "./readiness.ts";
import type { Readiness } from "./readiness.ts";
import { checkOrigin } from "./request-origin.ts";
import { serializerCompiler, validatorCompiler } from "./schema-compilers.ts";
import { parseJson } from "./strict-json.ts";

/** The server's HTTP face. Capabilities register their routes on it; schemas are zod. */
export type App = FastifyInstance<RawServerDefault, IncomingMessage, ServerResponse, FastifyBaseLogger, ZodTypeProvider>;

declare module "fastify" {
  interface FastifyInstance {
    doorkeeper: Doorkeeper;
    readiness: Readiness;
  }
  interface FastifyRequest {
    /** The pattern of its route, or `none`. Not the URL: that of a login link is a secret. */
    route: string;
  }
}

export type HttpAppOptions = {
  logger: Logger;
  /** Where callers reach this server. */
  publicUrl: URL;
  /** Further host names that it answers to. */
  allowedHosts?: readonly string[];
  doorkeeper: Doorkeeper;
  /** Bodies larger than this are refused; a route may set its own `bodyLimit`. */
  bodyLimit?: number;
  /** How long a request may take to arrive. Answers may take as long as they like: they may be streams. */
  arrival?: { headersMs: number; requestMs: number };
};

/** Makes the app: what every route has in common, and nothing else. */
export async function createHttpApp(options: HttpAppOptions): Promise<App> {
  const arrival = options.arrival ?? { headersMs: 10_000, requestMs: 30_000 };
  // Named, so that routes see the logger as Fastify's own type and not as pino's.
  const loggerInstance: FastifyBaseLogger = options.logger;
  const app: App = fastify({
    loggerInstance,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: options.bodyLimit ?? 1024 * 1024,
    requestTimeout: arrival.requestMs,
    // Ours alone: a caller's own id could carry anything into the log.
    requestIdHeader: false,
    genReqId: () => randomUUID(),
    forceCloseConnections: "idle",
    http: {
      headersTimeout: arrival.headersMs,
      requestTimeout: arrival.requestMs,
      connectionsCheckingInterval: Math.min(1_000, arrival.headersMs),
      maxHeaderSize: 16 * 1024,
    },
    routerOptions: { maxParamLength: 512 },
    frameworkErrors: (error, request, reply) => void sendProblem(request, reply, error),
    clientErrorHandler: answerBrokenRequest,
  }).withTypeProvider<ZodTypeProvider>();

  // A logger for each request costs more than its route: what is logged of a request names it by itself. Said here, and not as
  // `childLoggerFactory`, for what such a function returns Fastify examines anew for each request.
  app.log.child = () => app.log;
  app.decorate("doorkeeper", options.doorkeeper);
  app.decorate("readiness", createReadiness());
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);

  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", { parseAs: "buffer" }, (_request: FastifyRequest, body: Buffer, done) =>
    done(null, body.length === 0 ? undefined : parseJson(body)),
  );

  await app.register(swagger, {
    openapi: { openapi: "3.1.0", info: { title: "Remit", description: "The control plane for AI agents", version: "1" } },
    transform: jsonSchemaTransform,
  });

  const allowedMethods = createAllowedMethods();
  app.addHook("onRoute", (route) => allowedMethods.add(route.url, route.method));

  app.decorateRequest("route", "none");
  const headers = securityHeaders(options.publicUrl);
  // Hooks by callback: every request passes them, and a promise for each would cost more than what they do.
  app.addHook("onRequest", (request, reply, done) => {
    // Fastify makes what it says of a route anew whenever it is asked.
    request.route = request.routeOptions.url ?? "none";
    // On the raw response, so that they are there as well when a route answers by itself.
    for (const [name, value] of headers) reply.raw.setHeader(name, value);
    reply.raw.setHeader("x-request-id", request.id);
    const { host, origin } = request.headers;
    const site = request.headers["sec-fetch-site"];
    if (isProbe(request)) return done();
    if (app.readiness.refuses()) {
      // So that what the client sends next goes to another server.
      void reply.header("connection", "close");
      throw new RemitError("server-unavailable", "The server is being stopped; ask again, and another will answer");
    }
    checkOrigin(
      { host, origin, site: typeof site === "string" ? site : undefined },
      options,
      request.method === "GET" || request.method === "HEAD",
    );
    done();
  });
  app.addHook("onResponse", (request, reply, done) => {
    const level = reply.statusCode >= 400 ? "info" : "debug";
    if (options.logger.isLevelEnabled(level)) {
      const { id: requestId, method, route } = request;
      request.log[level]({ requestId, method, route, status: reply.statusCode, ms: Math.round(reply.elapsedTime) }, "request");
    }
    done();
  });

  // To Node a connection on which nothing was ever asked is not idle, and would hold up the end of a server for as long as it likes.
  const connections = new Set<Socket>();
  app.server.on("connection", (socket: Socket) => {
    connections.add(socket);
    socket.once("close", () => connections.delete(socket));
  });
  const closeSilent = () => {
    for (const socket of connections) if (socket.bytesRead === 0) socket.destroy();
  };
  app.addHook("preClose", async () => {
    setTimeout(closeSilent, silentGraceMs).unref();
    // Fastify closes what is idle once; a connection whose answer is under way then is idle a moment later.
    const sweeping = setInterval(() => app.server.closeIdleConnections(), sweepMs).unref();
    app.server.once("close", () => clearInterval(sweeping));
    setTimeout(() => app.server.closeAllConnections(), closeGraceMs).unref();
  });

  app.setErrorHandler((error, request, reply) => sendProblem(request, reply, error));
  app.setNotFoundHandler((request, reply) => {
    const methods = allowedMethods.of(request.url);
    if (methods.length === 0) return sendProblem(request, reply, new RemitError("not-found", "There is nothing at this address"));
    reply.header("allow", methods.join(", "));
    return sendProblem(request, reply, new RemitError("method-not-allowed", `This address takes ${methods.join(", ")}`));
  });

  app.get("/livez", { schema: { hide: true } }, async () => ({ status: "live" }));
  app.get("/readyz", { schema: { hide: true } }, async (_request, reply) => {
    const { ready, checks, details } = await app.readiness.run();
    return reply.code(ready ? 200 : 503).send({ status: ready ? "ready" : "not-ready", checks, details });
  });
  app.get("/openapi.json", { schema: { hide: true } }, async () => app.swagger());
  return app;
}

/** When the server stops: how long a connection may wait for its first byte, and how long answers that are under way may take. */
const silentGraceMs = 1_000;
const sweepMs = 100;
const closeGraceMs = 10_000;

function sendProblem(request: FastifyRequest, reply: FastifyReply, thrown: unknown): FastifyReply {
  const error = toRemitError(thrown);
  const status = errorTable[error.code].http;
  if (status >= 500) request.log.error({ err: thrown, requestId: request.id, code: error.code }, "request failed");
  return reply.code(status).type("application/problem+json; charset=utf-8").serializer(JSON.stringify).send(problemOf(error, request.id));
}

/** Kubernetes probes a pod by its address, which is no name of ours; these two say nothing that matters. */
function isProbe(request: FastifyRequest): boolean {
  return request.url === "/livez" || request.url === "/readyz";
}

function securityHeaders(publicUrl: URL): [string, string][] {
  const always: [string, string][] = [
    ["x-content-type-options", "nosniff"],
    ["x-frame-options", "DENY"],
    ["content-security-policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"],
    // Not no-referrer: under it a browser sends `Origin: null` with a form of our own page.
    ["referrer-policy", "same-origin"],
    ["cross-origin-opener-policy", "same-origin"],
    ["cross-origin-resource-policy", "same-origin"],
    ["cache-control", "no-store"],
  ];
  return publicUrl.protocol === "https:" ? [...always, ["strict-transport-security", "max-age=31536000"]] : always;
}

/** A request that is not HTTP, or did not arrive in time: there is no request to hand to the error handler. */
function answerBrokenRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === "ECONNRESET" || socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, title] =
    error.code === "ERR_HTTP_REQUEST_TIMEOUT"
      ? [408, "Request Timeout"]
      : error.code === "HPE_HEADER_OVERFLOW"
        ? [431, "Request Header Fields Too Large"]
        : [400, "Bad Request"];
  const code = status === 431 ? "too-large" : "invalid-request";
  const body = JSON.stringify({ type: `about:blank#${code}`, title, status, detail: title, code, issues: [], requestId: randomUUID() });
  socket.end(
    `HTTP/1.1 ${status} ${title}\r\ncontent-type: application/problem+json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}
