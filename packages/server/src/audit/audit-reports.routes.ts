import {
  accessPageSchema,
  approvalTrailSchema,
  exceptionReportSchema,
  haltRecordSchema,
  permissionChangeSchema,
  RemitError,
  sweepReportSchema,
  tokenReportSchema,
} from "@remit/contract";
import type { Role } from "@remit/contract";
import { z } from "zod";
import { requireActor } from "../http/doorkeeper.ts";
import type { App } from "../http/http-app.ts";
import { encodeCursor, pageOf, pageQuerySchema, pageSchema, positionOf } from "../http/page.ts";
import type { AuditReports, Range } from "./audit-reports.service.ts";

/** As for the ledger itself. */
const role: readonly Role[] = ["auditor", "operator"];

const text = z.string().min(1).max(300).optional();
const flag = z.stringbool().default(false);
const rangeSchema = z.strictObject({ since: z.iso.datetime().optional(), until: z.iso.datetime().optional() });
const pagedSchema = pageQuerySchema.extend(rangeSchema.shape);
const position = z.tuple([z.int()]);

/** @throws RemitError `invalid-request` for a range that ends before it begins: an empty report would look like a clean one */
function rangeOf({ since, until }: { since?: string | undefined; until?: string | undefined }): Range {
  const range = { since: since === undefined ? null : new Date(since), until: until === undefined ? null : new Date(until) };
  if (range.since !== null && range.until !== null && range.since >= range.until) {
    throw new RemitError("invalid-request", "The range ends before it begins", {
      issues: [{ message: "must be after since", pointer: "/until" }],
    });
  }
  return range;
}

export function registerAuditReportRoutes(app: App, { reports }: { reports: AuditReports }): void {
  app.get(
    "/v1/audit/accesses",
    {
      schema: {
        summary: "Which records were accessed, under what policy, by which tool, and what followed",
        querystring: pagedSchema.extend({
          record: text,
          tool: text,
          agent: text,
          run: text,
          policy: text,
          attempts: flag,
          followed: flag,
          order: z.enum(["newest", "oldest"]).default("newest"),
        }),
        response: { 200: accessPageSchema },
      },
    },
    async (request) => {
      await requireActor(request, { role });
      const { record = null, tool = null, agent = null, run = null, policy = null, attempts, followed, order, limit } = request.query;
      const [after = null] = positionOf({ limit, cursor: request.query.cursor }, position) ?? [];
      const found = await reports.accesses({
        ...rangeOf(request.query),
        record,
        tool,
        agent,
        run,
        policy,
        attempts,
        followed,
        order,
        after,
        limit,
      });
      return { ...found.page, next: found.after === null ? null : encodeCursor([found.after]) };
    },
  );

  app.get(
    "/v1/audit/approvals",
    {
      schema: {
        summary: "Requests for approval from asking to their end, newest first",
        querystring: pagedSchema.extend({ agent: text }),
        response: { 200: pageSchema(approvalTrailSchema) },
      },
    },
    async (request) => {
      await requireActor(request, { role });
      const { agent = null, limit, cursor } = request.query;
      const [after = null] = positionOf({ limit, cursor }, position) ?? [];
      return pageOf(await reports.approvals({ ...rangeOf(request.query), agent, after, limit: limit + 1 }), limit, ({ seq }) => [seq]);
    },
  );

  app.get(
    "/v1/audit/exceptions",
    {
      schema: {
        summary: "What was out of the ordinary, and the entries that prove it",
        querystring: rangeSchema,
        response: { 200: exceptionReportSchema },
      },
    },
    async (request) => {
      await requireActor(request, { role });
      return reports.exceptions(rangeOf(request.query));
    },
  );

  app.get(
    "/v1/audit/permissions",
    {
      schema: {
        summary: "How permissions changed, by applied registry",
        querystring: rangeSchema.extend({ limit: z.coerce.number().int().min(1).max(200).default(50) }),
        response: { 200: z.object({ items: z.array(permissionChangeSchema) }) },
      },
    },
    async (request) => {
      await requireActor(request, { role });
      return { items: await reports.permissions(rangeOf(request.query), request.query.limit) };
    },
  );

  app.get(
    "/v1/audit/halts",
    {
      schema: {
        summary: "Halts and safe modes from their command to their end",
        querystring: pagedSchema,
        response: { 200: pageSchema(haltRecordSchema) },
      },
    },
    async (request) => {
      await requireActor(request, { role });
      const { limit, cursor } = request.query;
      const [after = null] = positionOf({ limit, cursor }, position) ?? [];
      return pageOf(await reports.halts({ ...rangeOf(request.query), after, limit: limit + 1 }), limit, ({ seq }) => [seq]);
    },
  );

  app.get(
    "/v1/audit/sweep",
    { schema: { summary: "Every asset in force, looked at by every check", response: { 200: sweepReportSchema } } },
    async (request) => {
      await requireActor(request, { role });
      return reports.sweep();
    },
  );

  app.get(
    "/v1/audit/tokens",
    {
      schema: {
        summary: "How long tokens lived, and how secrets were rotated",
        querystring: rangeSchema,
        response: { 200: tokenReportSchema },
      },
    },
    async (request) => {
      await requireActor(request, { role });
      return reports.tokens(rangeOf(request.query));
    },
  );
}
