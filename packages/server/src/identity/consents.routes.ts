import { consentViewSchema } from "@remit/contract";
import { z } from "zod";
import { requirePerson } from "../http/doorkeeper.ts";
import type { App } from "../http/http-app.ts";
import type { Consents } from "./consents.service.ts";

/** A person's own consents; those of everybody for who operates or audits. */
export function registerConsentRoutes(app: App, deps: { consents: Consents }): void {
  const schema = { response: { 200: z.object({ items: z.array(consentViewSchema), next: z.null() }) } };
  app.get("/v1/consents", { schema }, async (request) => ({ items: await deps.consents.list(await requirePerson(request)), next: null }));

  const params = z.object({ id: z.string().max(100) });
  app.delete("/v1/consents/:id", { schema: { params } }, async (request, reply) => {
    await deps.consents.withdraw(request.params.id, await requirePerson(request));
    return reply.code(204).send();
  });
}
