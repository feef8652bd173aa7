import { issueLinkSchema, loginLinkSchema, meSchema, RemitError, startedSessionSchema, startSessionSchema } from "@remit/contract";
import type { Me, Person } from "@remit/contract";
import type { FastifyReply } from "fastify";
import { z } from "zod";
import { csrfTokenFor, machineActor, requireMachine, requirePerson, sessionTokenOf } from "../http/doorkeeper.ts";
import { acceptForms } from "../http/forms.ts";
import { html, sendPage } from "../http/html.ts";
import type { App } from "../http/http-app.ts";
import { clearSessionCookie, setSessionCookie } from "../http/session-cookie.ts";
import type { RegistrySource } from "../registry/registry-source.ts";
import type { Logins, StartedLogin } from "./logins.service.ts";

export function registerLoginRoutes(app: App, deps: { logins: Logins; registry: RegistrySource; publicUrl: URL }): void {
  const { logins } = deps;

  app.post("/v1/links", { schema: { body: issueLinkSchema, response: { 200: loginLinkSchema } } }, async (request) => {
    requireMachine(request);
    return logins.issueLink(request.body.party, machineActor);
  });

  app.post("/v1/sessions", { schema: { body: startSessionSchema, response: { 200: startedSessionSchema } } }, async (request) => {
    const { token, expiresAt, person } = await logins.start(request.body.link, request.ip);
    return { token, expiresAt: expiresAt.toISOString(), person: describe(person, deps.registry) };
  });

  app.delete("/v1/sessions/current", async (request, reply) => {
    await requirePerson(request);
    await logins.end(sessionTokenOf(request) ?? "");
    return clearSessionCookie(reply).code(204).send();
  });

  app.get("/v1/me", { schema: { response: { 200: meSchema } } }, async (request) => ({
    ...describe(await requirePerson(request), deps.registry),
    csrf: csrfTokenFor(request),
  }));

  const tokenParams = z.object({ token: z.string().max(200) });
  app.register(async (scope: App) => {
    acceptForms(scope);

    // Looking does not use the link: mail scanners and chat previews open every link that they see.
    scope.get("/login/:token", { schema: { params: tokenParams, hide: true } }, async (request, reply) => {
      const party = await logins.peek(request.params.token);
      if (party === null) return sendDeadLink(reply);
      return sendPage(
        reply,
        "Log in",
        html`<h1>Log in to Remit</h1>
          <p>This link logs you in as <strong>${party.displayName}</strong> (${party.name}), once.</p>
          <form method="post"><button type="submit">Log in</button></form>`,
      );
    });

    // There is no session yet that a CSRF token could belong to; the check of Origin keeps other sites from logging somebody in.
    scope.post("/login/:token", { schema: { params: tokenParams, hide: true } }, async (request, reply) => {
      let login: StartedLogin;
      try {
        login = await logins.start(request.params.token, request.ip);
      } catch (error) {
        if (RemitError.is(error) && error.code !== "control-state-stale") return sendDeadLink(reply);
        throw error;
      }
      const secure = deps.publicUrl.protocol === "https:";
      return setSessionCookie(reply, login.token, { expires: login.expiresAt, secure }).redirect("/", 303);
    });
  });
}

function sendDeadLink(reply: FastifyReply): FastifyReply {
  return sendPage(
    reply,
    "Link not usable",
    html`<h1>This link cannot be used</h1>
      <p>It has been used, it has expired, or it was never one. A link works once, for ten minutes.</p>
      <p>Ask whoever runs this server for a new one: <code>remit link &lt;you&gt;</code></p>`,
    401,
  );
}

function describe(person: Person, registry: RegistrySource): Omit<Me, "csrf"> {
  const { parties, teams } = registry.current();
  return {
    party: person.party,
    displayName: parties.get(person.party)?.displayName ?? person.party,
    roles: person.roles,
    teams: [...teams.values()].filter((team) => team.members.includes(person.party)).map((team) => team.name),
  };
}
