import { gatewayScope, RemitError } from "@remit/contract";
import { consentChoices } from "@remit/core";
import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { csrfTokenFor, findPerson, requirePerson } from "../http/doorkeeper.ts";
import { acceptForms } from "../http/forms.ts";
import { sendPage } from "../http/html.ts";
import type { App } from "../http/http-app.ts";
import type { RegistrySource } from "../registry/registry-source.ts";
import { consentPath } from "./authorization-server.ts";
import type { AuthorizationServer } from "./authorization-server.ts";
import { choiceText, consentPage, gonePage, loginFirst } from "./consent-page.ts";
import { authorizationServerMetadata, protectedResourceMetadata } from "./resource.ts";
import type { Resource } from "./resource.ts";

type Deps = { authorizationServer: AuthorizationServer; resource: Resource; registry: RegistrySource };

/** OAuth: tokens and keys, the documents by which an MCP client finds both, and the pages on which a person lets a client in. */
export function registerOAuthRoutes(app: App, deps: Deps): void {
  registerMetadata(app, deps);
  registerConsentPages(app, deps);

  app.register(async (scope: App) => {
    // oidc-provider reads the body itself. Only these of its routes are served; there is no registration and no session of its own.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser("*", (_request, _body, done) => done(null));
    const hand = async (request: FastifyRequest, reply: FastifyReply, url: string): Promise<void> => {
      reply.hijack();
      request.raw.url = url;
      await deps.authorizationServer.answer(request.raw, reply.raw);
    };
    const schema = { hide: true };
    scope.post("/oidc/token", { schema }, (request, reply) => hand(request, reply, "/token"));
    scope.get("/oidc/jwks", { schema }, (request, reply) => hand(request, reply, "/jwks"));
    // Before anything is fetched on the word of whoever sent the browser here, a person is there.
    scope.get("/oidc/authorize", { schema }, async (request, reply) => {
      if ((await findPerson(request)) === null) return sendPage(reply, "Log in first", loginFirst(request.url), 401);
      await hand(request, reply, `/authorize?${withScope(request.url)}`);
    });
    const params = z.object({ uid: z.string().regex(/^[\w-]{1,64}$/) });
    scope.get("/oidc/authorize/:uid", { schema: { hide: true, params } }, (request, reply) =>
      hand(request, reply, `/authorize/${request.params.uid}`),
    );
  });
}

/** A client that names no scope asks for the gateway. */
function withScope(url: string): string {
  const query = new URLSearchParams(url.split("?").slice(1).join("?"));
  if ((query.get("scope") ?? "").trim() === "") query.set("scope", gatewayScope);
  return query.toString();
}

function registerConsentPages(app: App, deps: Deps): void {
  const { authorizationServer } = deps;
  const url = `/oidc${consentPath}/:uid`;

  async function show(request: FastifyRequest, reply: FastifyReply, problem: string | null): Promise<FastifyReply> {
    const person = await findPerson(request);
    if (person === null) return sendPage(reply, "Log in first", loginFirst(request.url), 401);
    const asked = await authorizationServer.asked(request.raw, reply.raw);
    if (asked === null) return sendPage(reply, "Answered or expired", gonePage(), 410);
    const registry = deps.registry.current();
    const choices = consentChoices(registry, person.party, asked.scopes);
    const content = consentPage({ client: asked.client, choices, registry, csrf: csrfTokenFor(request), problem });
    // A browser holds a form to this policy through all redirects, and the last one leads to the client.
    const formAction = sourceOf(asked.client.redirectUri);
    return sendPage(reply, "Let a program in?", content, problem === null ? 200 : 422, { formAction });
  }

  app.register(async (scope: App) => {
    acceptForms(scope);
    scope.get(url, { schema: { hide: true } }, (request, reply) => show(request, reply, null));
    const body = z.record(z.string(), z.string());
    scope.post(url, { schema: { hide: true, body } }, async (request, reply) => {
      const person = await requirePerson(request);
      const asked = await authorizationServer.asked(request.raw, reply.raw);
      if (asked === null) return sendPage(reply, "Answered or expired", gonePage(), 410);
      const said = request.body["choice"] ?? "";
      // What may be chosen is worked out again: the page may be old, and a form can say anything.
      const choice = consentChoices(deps.registry.current(), person.party, asked.scopes).find((one) => choiceText(one) === said);
      if (choice === undefined && said !== "no")
        return show(request, reply, "Choose one of these agents; what you chose is not among them.");
      const next = await authorizationServer.consented(request.raw, reply.raw, choice === undefined ? null : { person, choice });
      return reply.redirect(next, 303);
    });
  });
}

function sourceOf(redirectUri: string): string {
  const { protocol, origin } = new URL(redirectUri);
  return protocol === "http:" || protocol === "https:" ? origin : protocol;
}

function registerMetadata(app: App, deps: Deps): void {
  const issuerPath = new URL(deps.resource.issuer).pathname;
  const audiencePath = new URL(deps.resource.audience).pathname;
  const hidden = { schema: { hide: true } };

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
