import { Readable } from "node:stream";
import { exportRequestSchema } from "@remit/contract";
import type { ExportRequest, Role } from "@remit/contract";
import type { FastifyReply, FastifyRequest } from "fastify";
import { requireActor } from "../http/doorkeeper.ts";
import type { App } from "../http/http-app.ts";
import type { Exports } from "./export.service.ts";

/** Operators look into the ledger; taking it along is for those who check. An admin holds every role. */
const role: readonly Role[] = ["auditor", "admin"];
const summary = "A contiguous range of the ledger as a bundle (tar) that remit-verify checks offline";

export function registerExportRoutes(app: App, { exports }: { exports: Exports }): void {
  async function send(request: FastifyRequest, reply: FastifyReply, wanted: ExportRequest) {
    const actor = await requireActor(request, { role });
    const { name, pieces } = await exports.open(wanted, actor);
    reply.header("content-disposition", `attachment; filename="${name}"`);
    return reply.type("application/x-tar").send(Readable.from(pieces, { objectMode: false }));
  }

  app.get("/v1/audit/export", { schema: { summary, querystring: exportRequestSchema } }, (request, reply) =>
    send(request, reply, request.query),
  );
  app.post("/v1/audit/export", { schema: { summary, body: exportRequestSchema } }, (request, reply) => send(request, reply, request.body));
}
