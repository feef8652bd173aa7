import {
  actionViewSchema,
  endRunSchema,
  idSchema,
  nameSchema,
  runStateSchema,
  runTokenSchema,
  runViewSchema,
  startedRunSchema,
  startRunSchema,
} from "@remit/contract";
import type { FastifyRequest } from "fastify";
import { z } from "zod";
import { requireActor } from "../http/doorkeeper.ts";
import type { App } from "../http/http-app.ts";
import { pageQuerySchema, pageSchema, positionOf } from "../http/page.ts";
import type { RunHolder, Runs } from "./runs.ts";

const params = z.strictObject({ id: idSchema("run") });
const querystring = pageQuerySchema.extend({ state: runStateSchema.optional(), workflow: nameSchema.optional() });
const operator = { role: ["operator"] } as const;

export function registerRunRoutes(app: App, { runs }: { runs: Runs }): void {
  app.post(
    "/v1/runs",
    {
      schema: {
        summary: "Start a run and claim its work; 200 where its queue is empty and nothing started",
        body: startRunSchema,
        response: { 200: startedRunSchema, 201: startedRunSchema },
      },
    },
    async (request, reply) => {
      const started = await runs.start(await requireActor(request, operator), request.body);
      return reply.code(started.run === null ? 200 : 201).send(started);
    },
  );

  app.get(
    "/v1/runs",
    { schema: { summary: "Runs, newest first", querystring, response: { 200: pageSchema(runViewSchema) } } },
    async (request) => {
      await requireActor(request);
      const { state = null, workflow = null, limit } = request.query;
      const [before = null] = positionOf(request.query, z.tuple([idSchema("run")])) ?? [];
      return runs.list({ state, workflow, before, limit });
    },
  );

  app.get("/v1/runs/:id", { schema: { summary: "One run", params, response: { 200: runViewSchema } } }, async (request) => {
    await requireActor(request);
    return runs.get(request.params.id);
  });

  app.get(
    "/v1/runs/:id/actions",
    {
      schema: {
        summary: "What a run has tried, oldest first; a page whose actions have all ended does not change any more",
        params,
        querystring: pageQuerySchema,
        response: { 200: pageSchema(actionViewSchema) },
      },
    },
    async (request) => {
      await requireActor(request);
      const [after = null] = positionOf(request.query, z.tuple([z.int().min(0)])) ?? [];
      return runs.actions(request.params.id, { after, limit: request.query.limit });
    },
  );

  app.post(
    "/v1/runs/:id/token",
    {
      schema: {
        summary: "A fresh token; also keeps the run's work claimed",
        params,
        body: z.strictObject({}).optional(),
        response: { 200: runTokenSchema },
      },
    },
    async (request) => runs.renew(request.params.id, await holderOf(request)),
  );

  app.post(
    "/v1/runs/:id/end",
    { schema: { summary: "Say how a run ended, or cancel it", params, body: endRunSchema, response: { 200: runViewSchema } } },
    async (request) => runs.end(request.params.id, await requireActor(request, operator), request.body),
  );
}

/** An agent's token is a JWT, which a session's is not. Which run it is a token of is asked by the service. */
async function holderOf(request: FastifyRequest): Promise<RunHolder> {
  const token = /^Bearer (eyJ[\w-]*\.[\w-]+\.[\w-]+)$/i.exec(request.headers.authorization ?? "")?.[1];
  return token === undefined ? { type: "actor", actor: await requireActor(request, operator) } : { type: "agent", token };
}
