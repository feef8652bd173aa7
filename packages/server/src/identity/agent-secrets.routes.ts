import { agentSecretSchema, issuedSecretSchema, issueSecretSchema, nameSchema } from "@remit/contract";
import { z } from "zod";
import { requireActor } from "../http/doorkeeper.ts";
import type { App } from "../http/http-app.ts";
import type { AgentSecrets } from "./agent-secrets.service.ts";

const operators = { role: ["operator"] } as const;

export function registerAgentSecretRoutes(app: App, deps: { secrets: AgentSecrets }): void {
  const params = z.object({ name: nameSchema });

  app.post(
    "/v1/agents/:name/secrets",
    { schema: { params, body: issueSecretSchema.prefault({}), response: { 201: issuedSecretSchema } } },
    async (request, reply) => {
      const actor = await requireActor(request, operators);
      const { expiresInDays } = request.body;
      return reply.code(201).send(await deps.secrets.issue(request.params.name, { expiresInDays, actor }));
    },
  );

  app.get(
    "/v1/agents/:name/secrets",
    { schema: { params, response: { 200: z.object({ items: z.array(agentSecretSchema) }) } } },
    async (request) => {
      await requireActor(request, operators);
      return { items: await deps.secrets.list(request.params.name) };
    },
  );

  app.delete("/v1/agents/:name/secrets/:id", { schema: { params: params.extend({ id: z.string().max(64) }) } }, async (request, reply) => {
    const actor = await requireActor(request, operators);
    await deps.secrets.retire(request.params.name, request.params.id, actor);
    return reply.code(204).send();
  });
}
