import {
  checkpointViewSchema,
  entryTypes,
  idSchema,
  ledgerVerdictSchema,
  receiptSchema,
  recordedEventSchema,
  RemitError,
  storySchema,
} from "@remit/contract";
import type { Role } from "@remit/contract";
import { z } from "zod";
import { requireActor } from "../http/doorkeeper.ts";
import type { App } from "../http/http-app.ts";
import { pageOf, pageQuerySchema, pageSchema, positionOf } from "../http/page.ts";
import type { Audit } from "./audit.service.ts";

/** Who may look into everything. An admin holds both. */
const role: readonly Role[] = ["auditor", "operator"];

const text = z.string().min(1).max(300).optional();
const querystring = pageQuerySchema.extend({
  run: text,
  action: text,
  approval: text,
  trace: text,
  agent: text,
  actor: text,
  type: z.enum(entryTypes).optional(),
  tool: text,
  since: z.iso.datetime().optional(),
  until: z.iso.datetime().optional(),
  order: z.enum(["newest", "oldest"]).default("newest"),
});

export function registerAuditRoutes(app: App, { audit }: { audit: Audit }): void {
  app.get(
    "/v1/audit/entries",
    { schema: { summary: "Entries of the ledger as CloudEvents", querystring, response: { 200: pageSchema(recordedEventSchema) } } },
    async (request) => {
      await requireActor(request, { role });
      const { run, action, approval, trace, agent, actor, type, tool, since, until, order, limit } = request.query;
      const [after = null] = positionOf(request.query, z.tuple([z.int()])) ?? [];
      const filter = {
        run: run ?? null,
        action: action ?? null,
        approval: approval ?? null,
        trace: trace ?? null,
        agent: agent ?? null,
        actor: actor ?? null,
        types: type === undefined ? null : [type],
        tool: tool ?? null,
        since: since === undefined ? null : new Date(since),
        until: until === undefined ? null : new Date(until),
      };
      const found = await audit.entries(filter, { order, after, limit: limit + 1 });
      return pageOf(found, limit, ({ seq }) => [seq]);
    },
  );

  app.get(
    "/v1/audit/entries/:id/proof",
    {
      schema: {
        summary: "Proof that an entry is in the ledger",
        params: z.strictObject({ id: idSchema("entry") }),
        response: { 200: receiptSchema },
      },
    },
    async (request) => {
      await requireActor(request, { role });
      return audit.receipt(request.params.id);
    },
  );

  app.get(
    "/v1/audit/show/:id",
    {
      schema: {
        summary: "What a run, action, approval or trace consisted of, in order",
        params: z.strictObject({ id: z.string().min(1).max(200) }),
        response: { 200: storySchema },
      },
    },
    async (request) => {
      await requireActor(request, { role });
      return audit.show(request.params.id);
    },
  );

  app.get(
    "/v1/audit/verify",
    { schema: { summary: "Recompute the whole ledger from its rows", response: { 200: ledgerVerdictSchema } } },
    async (request) => {
      await requireActor(request, { role });
      return audit.verify();
    },
  );

  app.get(
    "/v1/audit/checkpoint",
    { schema: { summary: "The last signed checkpoint", response: { 200: checkpointViewSchema } } },
    async (request) => {
      await requireActor(request, { role });
      const checkpoint = await audit.checkpoint();
      if (checkpoint === null) throw new RemitError("not-found", "The ledger is empty: nothing has been signed yet");
      return checkpoint;
    },
  );
}
