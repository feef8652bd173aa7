import { approvalStateSchema, approvalViewSchema, cancelSchema, delegateSchema, idSchema, voteSchema } from "@remit/contract";
import { z } from "zod";
import { requirePerson } from "../http/doorkeeper.ts";
import type { App } from "../http/http-app.ts";
import { pageQuerySchema, pageSchema, positionOf } from "../http/page.ts";
import type { ApprovalService } from "./approval.service.ts";

const params = z.strictObject({ id: idSchema("approval") });
const querystring = pageQuerySchema.extend({ state: approvalStateSchema.optional() });
const response = { 200: approvalViewSchema };

export function registerApprovalRoutes(app: App, { approvals }: { approvals: ApprovalService }): void {
  app.get(
    "/v1/approvals",
    { schema: { summary: "Requests for approval, newest first", querystring, response: { 200: pageSchema(approvalViewSchema) } } },
    async (request) => {
      const person = await requirePerson(request);
      const { state, limit } = request.query;
      const [before = null] = positionOf(request.query, z.tuple([idSchema("approval")])) ?? [];
      return approvals.list(person, { states: state === undefined ? null : [state], before, limit, withArguments: true });
    },
  );

  app.get(
    "/v1/approvals/:id",
    { schema: { summary: "One request, with everything that is needed to decide", params, response } },
    async (request) => approvals.get(request.params.id, await requirePerson(request)),
  );

  app.post(
    "/v1/approvals/:id/votes",
    { schema: { summary: "Approve or deny exactly what was shown", params, body: voteSchema, response } },
    async (request) => approvals.vote(request.params.id, await requirePerson(request), request.body),
  );

  app.post(
    "/v1/approvals/:id/delegate",
    { schema: { summary: "Let somebody else decide in your place", params, body: delegateSchema, response } },
    async (request) => approvals.delegate(request.params.id, await requirePerson(request), request.body.to),
  );

  app.post(
    "/v1/approvals/:id/cancel",
    { schema: { summary: "Call a request off", params, body: cancelSchema, response } },
    async (request) => approvals.cancel(request.params.id, await requirePerson(request), request.body.reason),
  );
}
