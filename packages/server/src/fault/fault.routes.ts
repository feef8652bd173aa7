import { addFaultSchema, faultViewSchema, idSchema } from "@remit/contract";
import { z } from "zod";
import { requirePerson } from "../http/doorkeeper.ts";
import type { App } from "../http/http-app.ts";
import { pageSchema } from "../http/page.ts";
import type { FaultService } from "./faults.ts";

const paramsSchema = z.object({ id: idSchema("fault") });

export function registerFaultRoutes(app: App, { faults }: { faults: FaultService }): void {
  app.get(
    "/v1/faults",
    {
      schema: {
        summary: "The faults that are injected, or with all=true the last ones whatever became of them",
        querystring: z.strictObject({ all: z.enum(["true", "false"]).default("false") }),
        response: { 200: pageSchema(faultViewSchema) },
      },
    },
    async (request) => {
      await requirePerson(request);
      return { items: await faults.list(request.query.all === "true"), next: null };
    },
  );

  app.post(
    "/v1/faults",
    {
      schema: {
        summary: "Inject a fault; in production it waits for a second person",
        body: addFaultSchema,
        response: { 201: faultViewSchema },
      },
    },
    async (request, reply) => {
      const person = await requirePerson(request, { role: ["operator"] });
      return reply.code(201).send(await faults.add(person, request.body));
    },
  );

  app.post(
    "/v1/faults/:id/confirm",
    { schema: { summary: "Be the second person for a fault in production", params: paramsSchema, response: { 200: faultViewSchema } } },
    async (request) => faults.confirm(request.params.id, await requirePerson(request, { role: ["operator"] })),
  );

  app.delete(
    "/v1/faults/:id",
    { schema: { summary: "End a fault now", params: paramsSchema, response: { 200: faultViewSchema } } },
    async (request) => faults.remove(request.params.id, await requirePerson(request, { role: ["operator"] })),
  );
}
