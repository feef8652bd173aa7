import { RemitError } from "@remit/contract";
import { z } from "zod";
import { html, sendPage } from "../http/html.ts";
import type { App } from "../http/http-app.ts";
import type { RegistrySource } from "../registry/registry-source.ts";
import type { AuthorizationServer } from "./authorization-server.ts";
import { authorizationServerMetadata, protectedResourceMetadata } from "./resource.ts";
import type { Resource } from "./resource.ts";

/** The token endpoint, its keys, and the documents by which an MCP client finds both. */
export function registerOAuthRoutes(
  app: App,
  deps: { authorizationServer: AuthorizationServer; resource: Resource; registry: RegistrySource },
): void {
  const issuerPath = new URL(deps.resource.issuer).pathname;
  const audiencePath = new URL(deps.resource.audience).pathname;
  const hidden = { schema: { hide: true } };

  app.register(async (scope: App) => {
    // oidc-provider reads the body itself. Only these two of its routes are served; there is no registration and no interaction.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser("*", (_request, _body, done) => done(null));
    for (const [method, path] of [
      ["POST", "/token"],
      ["GET", "/jwks"],
    ] as const) {
      scope.route({
        method,
        url: `/oidc${path}`,
        ...hidden,
        handler: async (request, reply) => {
          reply.hijack();
          request.raw.url = path;
          await deps.authorizationServer(request.raw, reply.raw);
        },
      });
    }
  });

  // A client that was given no secret takes a person here in a browser.
  app.get("/oidc/authorize", hidden, async (_request, reply) =>
    sendPage(
      reply,
      "Agents need a client secret",
      html`<h1>Agents need a client secret</h1>
        <p>Nobody logs in here for an agent. An operator makes its secret: <code>remit agents secret new &lt;agent&gt;</code></p>
        <p>Give the client the client_id and client_secret that it prints, for the client credentials grant.</p>`,
      404,
    ),
  );

  // Clients look under both: RFC 8414 puts the issuer's path behind, OpenID Connect in front.
  for (const url of [
    `/.well-known/oauth-authorization-server${issuerPath}`,
    `/.well-known/openid-configuration${issuerPath}`,
    "/oidc/.well-known/oauth-authorization-server",
    "/oidc/.well-known/openid-configuration",
  ]) {
    app.get(url, hidden, async () => authorizationServerMetadata(deps.resource));
  }

  for (const url of ["/.well-known/oauth-protected-resource", `/.well-known/oauth-protected-resource${audiencePath}`]) {
    app.get(url, hidden, async () => protectedResourceMetadata(deps.resource, deps.resource.audience));
  }
  const params = z.object({ upstream: z.string() });
  app.get(`/.well-known/oauth-protected-resource${audiencePath}/:upstream`, { schema: { hide: true, params } }, async (request) => {
    const { upstream } = request.params;
    if (!deps.registry.current().upstreams.has(upstream)) throw new RemitError("not-found", "There is no such upstream");
    return protectedResourceMetadata(deps.resource, `${deps.resource.audience}/${upstream}`);
  });
}
