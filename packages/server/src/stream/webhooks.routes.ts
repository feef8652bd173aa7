import {
  addWebhookSchema,
  deadLetterSchema,
  idSchema,
  replayWebhookSchema,
  resumeWebhookSchema,
  rotateWebhookSecretSchema,
  webhookAttemptSchema,
  webhookTestSchema,
  webhookViewSchema,
  webhookWithSecretSchema,
} from "@remit/contract";
import { z } from "zod";
import { requireActor } from "../http/doorkeeper.ts";
import type { App } from "../http/http-app.ts";
import { pageQuerySchema, pageSchema } from "../http/page.ts";
import type { Webhooks } from "./webhooks.service.ts";

const operators = { role: ["operator", "admin"] } as const;
/** Who may see where events go. */
const readers = { role: ["operator", "admin", "auditor"] } as const;
const params = z.object({ id: idSchema("webhook") });
const page = pageQuerySchema;

export function registerWebhookRoutes(app: App, { webhooks }: { webhooks: Webhooks }): void {
  app.get(
    "/v1/webhooks",
    { schema: { summary: "Where events are sent to", querystring: page, response: { 200: pageSchema(webhookViewSchema) } } },
    async (request) => {
      await requireActor(request, readers);
      return webhooks.list(request.query);
    },
  );

  app.post(
    "/v1/webhooks",
    {
      schema: {
        summary: "Send events to an address; the answer has the secret that signs them, this once",
        body: addWebhookSchema,
        response: { 201: webhookWithSecretSchema },
      },
    },
    async (request, reply) => {
      const actor = await requireActor(request, operators);
      return reply.code(201).send(await webhooks.add(request.body, actor));
    },
  );

  app.get("/v1/webhooks/:id", { schema: { summary: "One endpoint", params, response: { 200: webhookViewSchema } } }, async (request) => {
    await requireActor(request, readers);
    return webhooks.show(request.params.id);
  });

  app.post(
    "/v1/webhooks/:id/rotate-secret",
    {
      schema: {
        summary: "Sign with a new secret, and with the old one beside it for a while",
        params,
        body: rotateWebhookSecretSchema,
        response: { 200: webhookWithSecretSchema },
      },
    },
    async (request) => {
      const actor = await requireActor(request, operators);
      return webhooks.rotateSecret(request.params.id, request.body.overlap, actor);
    },
  );

  app.post(
    "/v1/webhooks/:id/pause",
    {
      schema: {
        summary: "Send nothing for now; what happens meanwhile is sent later",
        params,
        body: z.strictObject({ reason: z.string().trim().min(1).max(300) }),
        response: { 200: webhookViewSchema },
      },
    },
    async (request) => {
      const actor = await requireActor(request, operators);
      return webhooks.pause(request.params.id, request.body.reason, actor);
    },
  );

  app.post(
    "/v1/webhooks/:id/resume",
    { schema: { summary: "Go on", params, body: resumeWebhookSchema, response: { 200: webhookViewSchema } } },
    async (request) => {
      const actor = await requireActor(request, operators);
      return webhooks.resume(request.params.id, request.body.fromNow, actor);
    },
  );

  app.delete("/v1/webhooks/:id", { schema: { summary: "Send nothing more", params } }, async (request, reply) => {
    const actor = await requireActor(request, operators);
    await webhooks.remove(request.params.id, actor);
    return reply.code(204).send();
  });

  app.post(
    "/v1/webhooks/:id/test",
    { schema: { summary: "Send an event that says nothing, now", params, response: { 200: webhookTestSchema } } },
    async (request) => {
      await requireActor(request, operators);
      return webhooks.test(request.params.id);
    },
  );

  app.post(
    "/v1/webhooks/:id/replay",
    {
      schema: {
        summary: "Send events again: from a place on, or one",
        params,
        body: replayWebhookSchema,
        response: { 200: webhookViewSchema },
      },
    },
    async (request) => {
      const actor = await requireActor(request, operators);
      return webhooks.replay(request.params.id, request.body, actor);
    },
  );

  app.get(
    "/v1/webhooks/:id/dead-letters",
    {
      schema: { summary: "Events that were given up", params, querystring: page, response: { 200: pageSchema(deadLetterSchema) } },
    },
    async (request) => {
      await requireActor(request, readers);
      return webhooks.deadLetters(request.params.id, request.query);
    },
  );

  app.post(
    "/v1/webhooks/:id/dead-letters/retry",
    {
      schema: {
        summary: "Try events again that were given up: one, or all",
        params,
        body: z.strictObject({ event: idSchema("entry").nullable().default(null) }),
        response: { 200: z.object({ retried: z.int() }) },
      },
    },
    async (request) => {
      const actor = await requireActor(request, operators);
      return { retried: await webhooks.retryDeadLetters(request.params.id, request.body.event, actor) };
    },
  );

  app.get(
    "/v1/webhooks/:id/deliveries",
    {
      schema: {
        summary: "What was sent, the newest first",
        params,
        querystring: page,
        response: { 200: pageSchema(webhookAttemptSchema) },
      },
    },
    async (request) => {
      await requireActor(request, readers);
      return webhooks.attempts(request.params.id, request.query);
    },
  );
}
