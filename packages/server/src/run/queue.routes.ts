import { enqueueSchema, idSchema, itemStateSchema, itemViewSchema, nameSchema, queueViewSchema } from "@remit/contract";
import { z } from "zod";
import { requireActor } from "../http/doorkeeper.ts";
import type { App } from "../http/http-app.ts";
import { pageQuerySchema, pageSchema, positionOf } from "../http/page.ts";
import type { Queues } from "./queue.service.ts";

const params = z.strictObject({ name: nameSchema });

export function registerQueueRoutes(app: App, { queues }: { queues: Queues }): void {
  app.get(
    "/v1/queues",
    {
      schema: { summary: "Queues and how full they are", querystring: pageQuerySchema, response: { 200: pageSchema(queueViewSchema) } },
    },
    async (request) => {
      await requireActor(request);
      const [after = null] = positionOf(request.query, z.tuple([nameSchema])) ?? [];
      return queues.list({ after, limit: request.query.limit });
    },
  );

  app.get(
    "/v1/queues/:name/items",
    {
      schema: {
        summary: "The items of one queue, newest first",
        params,
        querystring: pageQuerySchema.extend({ state: itemStateSchema.optional() }),
        response: { 200: pageSchema(itemViewSchema) },
      },
    },
    async (request) => {
      await requireActor(request);
      const { state = null, limit } = request.query;
      const [before = null] = positionOf(request.query, z.tuple([idSchema("item")])) ?? [];
      return queues.items(request.params.name, { state, before, limit });
    },
  );

  app.post(
    "/v1/queues/:name/items",
    {
      schema: {
        summary: "Add work; 200 where the queue has had the key before, and nothing was added",
        params,
        body: enqueueSchema,
        response: { 200: itemViewSchema, 201: itemViewSchema },
      },
    },
    async (request, reply) => {
      const actor = await requireActor(request, { role: ["operator"] });
      const { item, added } = await queues.enqueue(actor, request.params.name, request.body);
      return reply.code(added ? 201 : 200).send(item);
    },
  );
}
