import { createServer } from "node:http";
import { RemitError } from "@remit/contract";
import { requireActor } from "../http/doorkeeper.ts";
import type { App } from "../http/http-app.ts";
import { sameSecret } from "../identity/secret-token.ts";
import type { Metrics } from "./metrics.ts";

const contentType = "text/plain; version=0.0.4; charset=utf-8";

/** `/metrics`, for whoever shows the scraper's token, and for people who may look into everything. It names agents, tools and policies. */
export function registerMetricsRoutes(app: App, { metrics, token }: { metrics: Pick<Metrics, "text">; token: string }): void {
  app.get("/metrics", { schema: { hide: true } }, async (request, reply) => {
    const shown = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? "")?.[1];
    if (shown === undefined || !sameSecret(shown, token)) await requireActor(request, { role: ["auditor", "operator"] });
    return reply.type(contentType).send(await metrics.text());
  });
}

/**
 * An address of its own that answers `/metrics` and nothing else, to anybody who reaches it: for a network that only the scraper is on.
 * @throws RemitError `invalid-configuration` where it is not `host:port`
 */
export async function listenForMetrics(address: string, metrics: Pick<Metrics, "text">): Promise<{ url: string; stop(): Promise<void> }> {
  const [, host, port] = /^\[?([^\]]+?)\]?:(\d{1,5})$/.exec(address) ?? [];
  if (host === undefined || port === undefined || Number(port) > 65_535)
    throw new RemitError("invalid-configuration", `REMIT_METRICS_ADDRESS is an address and a port like 127.0.0.1:9464, not "${address}"`);
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 10_000 }, (request, response) => {
    if (request.method !== "GET" || request.url?.split("?")[0] !== "/metrics") {
      response.writeHead(404).end();
      return;
    }
    metrics.text().then(
      (text) => response.writeHead(200, { "content-type": contentType }).end(text),
      () => response.writeHead(500).end(),
    );
  });
  await new Promise<void>((listening, failed) => {
    server.once("error", (error) =>
      failed(new RemitError("invalid-configuration", `Nothing can listen at REMIT_METRICS_ADDRESS ${address}`, { cause: error })),
    );
    server.listen({ host, port: Number(port) }, listening);
  });
  const bound = server.address();
  const at = typeof bound === "object" && bound !== null ? bound.port : port;
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${at}/metrics`,
    async stop() {
      const closed = new Promise((done) => server.close(done));
      server.closeAllConnections();
      await closed;
    },
  };
}
