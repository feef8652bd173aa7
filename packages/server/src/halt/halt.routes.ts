import { haltModeSchema, haltScopeSchema, haltViewSchema, idSchema } from "@remit/contract";
import { z } from "zod";
import { requirePerson } from "../http/doorkeeper.ts";
import type { App } from "../http/http-app.ts";
import { pageSchema } from "../http/page.ts";
import type { HaltService } from "./halts.ts";

const reasonSchema = z.string().trim().min(1, "say why, in a few words").max(500);

export function registerHaltRoutes(app: App, { halts }: { halts: HaltService }): void {
  app.get("/v1/halts", { schema: { summary: "The halts in force", response: { 200: pageSchema(haltViewSchema) } } }, async (request) => {
    await requirePerson(request);
    return { items: await halts.list(), next: null };
  });

  app.post(
    "/v1/halts",
    {
      schema: {
        summary: "Stop everything in a scope, or everything in it that is not a read",
        body: z.strictObject({ mode: haltModeSchema, scope: haltScopeSchema, reason: reasonSchema }),
        response: { 201: haltViewSchema },
      },
    },
    async (request, reply) => {
      // Any operator, alone and at once: a kill switch that somebody present may not use is none.
      const person = await requirePerson(request, { role: ["operator"] });
      return reply.code(201).send(await halts.engage(person, request.body, () => reply.elapsedTime));
    },
  );

  app.post(
    "/v1/halts/:id/release",
    {
      schema: {
        summary: "Ask for a release, or give the second voice that it takes",
        params: z.object({ id: idSchema("halt") }),
        body: z.strictObject({ reason: reasonSchema }),
        response: { 200: haltViewSchema.extend({ releasedAt: z.string().nullable() }) },
      },
    },
    async (request) => {
      const person = await requirePerson(request, { role: ["operator"] });
      return halts.release(request.params.id, person, request.body.reason);
    },
  );
}
