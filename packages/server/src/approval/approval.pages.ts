import { cancelSchema, delegateSchema, errorTable, idSchema, issuesOf, RemitError, voteSchema } from "@remit/contract";
import type { Id, Person } from "@remit/contract";
import { canDecide } from "@remit/core";
import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { csrfField, csrfTokenFor, findPerson, requirePerson } from "../http/doorkeeper.ts";
import { acceptForms } from "../http/forms.ts";
import { html, sendPage } from "../http/html.ts";
import type { App } from "../http/http-app.ts";
import type { RegistrySource } from "../registry/registry-source.ts";
import { approvalPage, pageFoot, pageHead } from "./approval-page.ts";
import type { ApprovalService } from "./approval.service.ts";
import { waitingPage } from "./waiting-page.ts";

type Deps = {
  approvals: ApprovalService;
  registry: RegistrySource;
  /** Who outside has seen the ledger: `UNANCHORED`, `WITNESSED(2 organisations)`. */
  anchoring: () => Promise<string>;
  now: () => Date;
};

const params = z.object({ id: z.string().max(100) });
const form = z.record(z.string(), z.string());

/** The pages of people who decide in a browser. They need no script, and forms of other sites reach none of them. */
export function registerApprovalPages(app: App, deps: Deps): void {
  const { approvals } = deps;

  app.get("/", { schema: { hide: true } }, (request, reply) =>
    asPerson(request, reply, deps, async (person) => {
      const pending = await approvals.list(person, { states: ["pending"], before: null, limit: 200, withArguments: false });
      const states = ["granted", "consumed", "denied", "expired", "cancelled", "stale"] as const;
      const decided = await approvals.list(person, { states, before: null, limit: 10, withArguments: false });
      const open = pending.items.filter(({ state }) => state === "pending");
      const content = html`${pageHead(nameOf(deps, person.party))} ${waitingPage(open, decided.items, deps.now().getTime())}
      ${pageFoot(await deps.anchoring())}`;
      return sendPage(reply, "What waits for you", content);
    }),
  );

  app.get("/approvals/:id", { schema: { hide: true, params } }, (request, reply) =>
    asPerson(request, reply, deps, (person) => showApproval(request, reply, deps, { id: request.params.id, person, problem: null })),
  );

  app.register(async (scope: App) => {
    acceptForms(scope);
    const change = (verb: string, act: (id: Id<"approval">, person: Person, fields: Record<string, string>) => Promise<unknown>): void => {
      scope.post(`/approvals/:id/${verb}`, { schema: { hide: true, params, body: form } }, (request, reply) =>
        asPerson(request, reply, deps, async () => {
          const { [csrfField]: _token, ...fields } = request.body;
          const { id } = request.params;
          const person = await requirePerson(request);
          try {
            await act(idSchema("approval").parse(id), person, fields);
          } catch (thrown) {
            const error = thrown instanceof z.ZodError ? new RemitError("invalid-request", words(thrown)) : thrown;
            if (!RemitError.is(error) || error.code === "not-found") throw error;
            return showApproval(request, reply, deps, { id, person, problem: error });
          }
          return reply.redirect(`/approvals/${id}`, 303);
        }),
      );
    };
    change("votes", (id, person, { comment = "", ...fields }) =>
      approvals.vote(id, person, voteSchema.parse(comment.trim() === "" ? fields : { ...fields, comment })),
    );
    change("delegate", (id, person, fields) => approvals.delegate(id, person, delegateSchema.parse(fields).to));
    change("cancel", (id, person, fields) => approvals.cancel(id, person, cancelSchema.parse(fields).reason));
  });
}

type Shown = { id: string; person: Person; problem: RemitError | null };

async function showApproval(request: FastifyRequest, reply: FastifyReply, deps: Deps, shown: Shown): Promise<FastifyReply> {
  const { person, problem } = shown;
  const id = idSchema("approval").safeParse(shown.id);
  if (!id.success) throw new RemitError("not-found", "There is no such request.");
  const view = await deps.approvals.get(id.data, person);
  const registry = deps.registry.current();
  const voters = new Set(view.teams.flatMap(({ eligible }) => eligible));
  const delegates = [...registry.parties.values()]
    .filter(({ name }) => canDecide(registry, name) && !voters.has(name) && name !== view.accountable)
    .map(({ name, displayName }) => ({ party: name, name: displayName }))
    .sort((left, right) => left.name.localeCompare(right.name, "en"));
  const content = html`${pageHead(nameOf(deps, person.party))}
  ${approvalPage(view, {
    now: deps.now().getTime(),
    csrf: csrfTokenFor(request),
    nameOf: (party) => nameOf(deps, party),
    delegates,
    problem: problem?.message ?? null,
  })}
  ${pageFoot(await deps.anchoring())}`;
  return sendPage(reply, `Approve ${view.tool}?`, content, problem === null ? 200 : errorTable[problem.code].http);
}

/** Strangers, and whoever asks for what is not there, get a page as well. */
async function asPerson(
  request: FastifyRequest,
  reply: FastifyReply,
  deps: Deps,
  answer: (person: Person) => Promise<FastifyReply>,
): Promise<FastifyReply> {
  const person = await findPerson(request);
  if (person === null) {
    const how = html`<h1>Log in first</h1>
      <p>Ask for a link on the machine that runs Remit, and open it in this browser:</p>
      <pre>remit login</pre>
      <p>Then <a href="${request.url}">open this page again</a>; so, too, if you are logged in and came here from elsewhere.</p>`;
    return sendPage(reply, "Log in first", how, 401);
  }
  try {
    return await answer(person);
  } catch (error) {
    if (!RemitError.is(error)) throw error;
    const content = html`${pageHead(nameOf(deps, person.party))}
      <h1>This did not work</h1>
      <p>${error.message}</p>`;
    return sendPage(reply, "This did not work", content, errorTable[error.code].http);
  }
}

/** Also while the registry cannot be read: the page that says so has a name on it. */
function nameOf({ registry }: Deps, party: string): string {
  try {
    return registry.current().parties.get(party)?.displayName ?? party;
  } catch {
    return party;
  }
}

function words(error: z.ZodError): string {
  return `The form was not understood: ${issuesOf(error)
    .map(({ message, pointer }) => `${pointer ?? ""} ${message}`.trim())
    .join("; ")}.`;
}
