import {
  erasureViewSchema,
  holdViewSchema,
  idSchema,
  privacyRequestViewSchema,
  retentionViewSchema,
  subjectExportSchema,
  subjectViewSchema,
} from "@remit/contract";
import type { Role } from "@remit/contract";
import { z } from "zod";
import { requireActor, requirePerson } from "../http/doorkeeper.ts";
import type { App } from "../http/http-app.ts";
import { pageQuerySchema, pageSchema, positionOf } from "../http/page.ts";
import type { Holds } from "./holds.service.ts";
import type { Privacy } from "./privacy.service.ts";
import type { PrivacyRequests } from "./privacy-requests.ts";
import type { Retention } from "./retention.service.ts";

/** Who shows and destroys what is held about people. */
const keeper: readonly Role[] = ["admin"];
/** Who may see what was done, and hold what must stay. */
const reader: readonly Role[] = ["admin", "auditor"];

const subject = z.string().trim().min(1).max(300);
const reason = z.string().trim().min(1, "say why, in a few words").max(500);
const entriesAtOnce = 200;

export function registerPrivacyRoutes(
  app: App,
  { privacy, holds, retention, requests }: { privacy: Privacy; holds: Holds; retention: Retention; requests: PrivacyRequests },
): void {
  app.get(
    "/v1/privacy/subjects",
    {
      schema: {
        summary: "Data subjects about whom something is held",
        querystring: pageQuerySchema,
        response: { 200: pageSchema(subjectViewSchema) },
      },
    },
    async (request) => {
      await requirePerson(request, { role: keeper });
      const [after = null] = positionOf(request.query, z.tuple([z.string()])) ?? [];
      return privacy.list({ after, limit: request.query.limit });
    },
  );

  app.get(
    "/v1/privacy/requests",
    {
      schema: {
        summary: "What was asked and done about data subjects, newest first",
        querystring: pageQuerySchema,
        response: { 200: pageSchema(privacyRequestViewSchema) },
      },
    },
    async (request) => {
      await requirePerson(request, { role: reader });
      const [before = null] = positionOf(request.query, z.tuple([idSchema("entry")])) ?? [];
      return requests.list({ before, limit: request.query.limit });
    },
  );

  app.post(
    "/v1/privacy/exports",
    {
      schema: {
        summary: "A page of everything that is held about a data subject; recorded",
        body: z.strictObject({ subject, reason, includeShared: z.boolean().default(false), cursor: z.string().max(500).optional() }),
        response: { 200: subjectExportSchema },
      },
    },
    async (request) => {
      const person = await requirePerson(request, { role: keeper });
      const { cursor, ...asked } = request.body;
      const query = { limit: entriesAtOnce, ...(cursor === undefined ? {} : { cursor }) };
      const [after = null] = positionOf(query, z.tuple([idSchema("entry")])) ?? [];
      return privacy.exportPage(person, { ...asked, after, limit: entriesAtOnce });
    },
  );

  app.post(
    "/v1/privacy/erasures",
    {
      schema: {
        summary: "Destroy the key of everything about a data subject; without `confirm`, only say what that would take away",
        body: z.strictObject({ subject, reason, confirm: z.boolean().default(false) }),
        response: { 200: erasureViewSchema },
      },
    },
    async (request) => {
      const person = await requirePerson(request, { role: keeper });
      const { confirm, ...asked } = request.body;
      return confirm ? privacy.erase(person, asked) : privacy.plan(asked.subject);
    },
  );

  app.get(
    "/v1/privacy/holds",
    {
      schema: {
        summary: "Legal holds, newest first",
        querystring: pageQuerySchema.extend({ all: z.stringbool().default(false) }),
        response: { 200: pageSchema(holdViewSchema) },
      },
    },
    async (request) => {
      await requirePerson(request, { role: reader });
      const [after = null] = positionOf(request.query, z.tuple([idSchema("hold")])) ?? [];
      return holds.list({ all: request.query.all, after, limit: request.query.limit });
    },
  );

  app.post(
    "/v1/privacy/holds",
    {
      schema: {
        summary: "Hold everything about a data subject, or everything there is",
        body: z.strictObject({ name: z.string().trim().min(1).max(100), subject: subject.nullable(), reason }),
        response: { 201: holdViewSchema },
      },
    },
    async (request, reply) => {
      const person = await requirePerson(request, { role: reader });
      return reply.code(201).send(await holds.place(person, request.body));
    },
  );

  app.post(
    "/v1/privacy/holds/:hold/release",
    {
      schema: {
        summary: "Ask for the release of a hold, or give the second voice that it takes",
        params: z.strictObject({ hold: z.string().min(1).max(100) }),
        body: z.strictObject({ reason }),
        response: { 200: holdViewSchema },
      },
    },
    async (request) => {
      const person = await requirePerson(request, { role: reader });
      return holds.release(person, request.params.hold, request.body.reason);
    },
  );

  app.get(
    "/v1/privacy/retention",
    { schema: { summary: "What has been kept as long as its schedule says", response: { 200: retentionViewSchema } } },
    async (request) => {
      await requireActor(request, { role: reader });
      return retention.plan();
    },
  );

  app.post(
    "/v1/privacy/retention",
    { schema: { summary: "End what is due now, as the clock does by itself", response: { 200: retentionViewSchema } } },
    async (request) => {
      const person = await requirePerson(request, { role: keeper });
      return retention.purge(`party:${person.party}`);
    },
  );
}
