import { beginConnectionSchema, begunConnectionSchema, connectionViewSchema, RemitError } from "@remit/contract";
import type { ConnectionView } from "@remit/contract";
import type { FastifyReply } from "fastify";
import { z } from "zod";
import { csrfField, findPerson, requireActor, requirePerson } from "../http/doorkeeper.ts";
import { acceptForms } from "../http/forms.ts";
import { html, sendPage } from "../http/html.ts";
import type { App } from "../http/http-app.ts";
import type { StoredGrant } from "./grant.store.ts";
import type { Grants } from "./grants.service.ts";
import { clientMetadata } from "./oauth-session.ts";

const operators = { role: ["operator", "admin"] } as const;
const backSchema = z.object({
  state: z.string().max(200).optional(),
  code: z.string().max(4_000).optional(),
  error: z.string().max(200).optional(),
  iss: z.string().max(2_000).optional(),
});
type Back = z.infer<typeof backSchema>;

/**
 * How people let Remit in at upstreams. A consent for everybody is begun by whoever operates Remit; one that is a person's own is begun
 * and finished in that person's logged-in browser, or somebody could have another's account bound to himself.
 */
export function registerConnectRoutes(app: App, { grants, publicUrl }: { grants: Grants; publicUrl: URL }): void {
  app.get(
    "/v1/connections",
    {
      schema: {
        summary: "Where somebody has let Remit in",
        response: { 200: z.object({ items: z.array(connectionViewSchema), next: z.null() }) },
      },
    },
    async (request) => {
      await requireActor(request, operators);
      return { items: (await grants.list()).map(viewOf), next: null };
    },
  );

  app.post(
    "/v1/connections",
    { schema: { summary: "Begin to let Remit in at an upstream", body: beginConnectionSchema, response: { 200: begunConnectionSchema } } },
    async (request) => {
      // Before anything is looked up: which upstreams there are is nothing for strangers.
      await requireActor(request);
      const { upstream, credential = null } = request.body;
      const { spec } = grants.find(upstream, credential);
      if (isPersonal(spec.from)) {
        const { party } = await requirePerson(request);
        const page = new URL(`/connect/${upstream}?credential=${spec.name}`, publicUrl).href;
        return { upstream, credential: spec.name, person: party, authorizationUrl: null, page, expiresAt: null };
      }
      const startedBy = await requireActor(request, operators);
      const { url, expiresAt } = await grants.begin({ upstream, credential: spec.name, person: null, startedBy });
      return { upstream, credential: spec.name, person: null, authorizationUrl: url, page: null, expiresAt: expiresAt.toISOString() };
    },
  );

  app.post(
    "/v1/connections/disconnect",
    { schema: { summary: "Forget what was granted", body: beginConnectionSchema.extend({ person: z.string().max(64).optional() }) } },
    async (request, reply) => {
      const asks = await requireActor(request);
      const { upstream, credential = null } = request.body;
      const { spec } = grants.find(upstream, credential);
      const person = isPersonal(spec.from) ? (request.body.person ?? (await requirePerson(request)).party) : "";
      // One's own consent is one's own to take back.
      const actor = asks === `party:${person}` ? asks : await requireActor(request, operators);
      await grants.disconnect({ credential: spec.name, upstream, person }, actor);
      return reply.code(204).send();
    },
  );

  const redirectUri = new URL("/connect/callback", publicUrl).href;
  const metadataUrl = new URL("/connect/client-metadata.json", publicUrl).href;
  app.get("/connect/client-metadata.json", { schema: { summary: "Who Remit is to authorization servers" } }, async () => ({
    ...clientMetadata(redirectUri),
    client_id: metadataUrl,
    token_endpoint_auth_method: "none",
  }));

  app.register(async (scope: App) => {
    acceptForms(scope);

    scope.get("/connect/callback", { schema: { querystring: backSchema, hide: true } }, async (request, reply) => {
      const back = request.query;
      const begun = back.state === undefined ? null : await grants.peek(back.state);
      if (begun === null) return failed(reply, new RemitError("link-invalid", "This consent has been used or has expired; begin again"));
      if (begun.key.person === "") return await finish(reply, grants, back);
      // The browser comes from elsewhere, and its session is not sent along: one step of our own finishes it.
      return sendPage(
        reply,
        "Finish connecting",
        html`<h1>Let Remit in at ${begun.key.upstream}</h1>
          <p>Agents that <strong>${begun.key.person}</strong> answers for will act there as you.</p>
          <form method="post" action="/connect/callback">
            ${Object.entries(back).map(([name, value]) => html`<input type="hidden" name="${name}" value="${value ?? ""}" />`)}
            <button type="submit">Connect</button>
          </form>`,
      );
    });

    scope.post(
      "/connect/callback",
      { schema: { body: backSchema.extend({ [csrfField]: z.string().optional() }), hide: true } },
      async (request, reply) => {
        const back = backSchema.parse(request.body);
        const begun = back.state === undefined ? null : await grants.peek(back.state);
        // No CSRF token: `state` is known to this browser alone, and finishes nothing but its own consent.
        const person = await findPerson(request);
        if (begun === null || person === null || begun.key.person !== person.party) {
          return failed(
            reply,
            new RemitError("forbidden", "This consent was begun by somebody else, or you are not logged in; begin again"),
          );
        }
        return await finish(reply, grants, back);
      },
    );

    scope.get(
      "/connect/:upstream",
      {
        schema: {
          params: z.object({ upstream: z.string().max(64) }),
          querystring: z.object({ credential: z.string().max(64).optional() }),
          hide: true,
        },
      },
      async (request, reply) => {
        const person = await findPerson(request);
        if (person === null) {
          const how = html`<h1>Log in first</h1>
            <p>Ask for a link where Remit runs, open it in this browser, and open this page again:</p>
            <pre>remit login</pre>`;
          return sendPage(reply, "Log in first", how, 401);
        }
        try {
          const { upstream, spec } = grants.find(request.params.upstream, request.query.credential ?? null);
          const personal = isPersonal(spec.from);
          if (!personal) await requirePerson(request, operators);
          const begun = await grants.begin({
            upstream: upstream.name,
            credential: spec.name,
            person: personal ? person.party : null,
            startedBy: `party:${person.party}`,
          });
          const host = new URL(begun.url).host;
          const whose = personal ? html`as you, for agents that you answer for` : html`for every agent that may use it`;
          return sendPage(
            reply,
            `Connect ${upstream.name}`,
            html`<h1>Let Remit in at ${upstream.name}</h1>
              <p>
                Remit will act at <strong>${upstream.name}</strong> ${whose}. You consent at <strong>${host}</strong>; agents never see what
                it grants.
              </p>
              <p><a href="${begun.url}" rel="noreferrer">Go to ${host}</a></p>`,
          );
        } catch (error) {
          if (!RemitError.is(error)) throw error;
          return failed(reply, error);
        }
      },
    );
  });
}

function isPersonal(from: { type: string; per?: unknown }): boolean {
  return from.type === "oauth-user" && from.per === "person";
}

async function finish(reply: FastifyReply, grants: Grants, { state, code, error, iss }: Back): Promise<FastifyReply> {
  try {
    const key = await grants.finish({ state: state ?? "", code: code ?? null, error: error ?? null, iss: iss ?? null });
    return sendPage(
      reply,
      "Connected",
      html`<h1>Connected</h1>
        <p>Remit is let in at <strong>${key.upstream}</strong>. You can close this page.</p>`,
    );
  } catch (thrown) {
    if (!RemitError.is(thrown)) throw thrown;
    return failed(reply, thrown);
  }
}

function failed(reply: FastifyReply, error: RemitError): FastifyReply {
  return sendPage(
    reply,
    "Not connected",
    html`<h1>This did not work</h1>
      <p>${error.message}</p>`,
    error.code === "forbidden" ? 403 : 400,
  );
}

function viewOf(grant: StoredGrant): ConnectionView {
  const { upstream, credential, person, state, reason, wanted, connectedBy } = grant;
  return {
    upstream,
    credential,
    person: person === "" ? null : person,
    state,
    reason,
    wanted: [...wanted],
    connectedBy,
    connectedAt: grant.connectedAt?.toISOString() ?? null,
    expiresAt: grant.expiresAt?.toISOString() ?? null,
  };
}
