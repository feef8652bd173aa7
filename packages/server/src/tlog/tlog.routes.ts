import { gzip } from "node:zlib";
import { promisify } from "node:util";
import { consistencyProofSchema, idSchema, RemitError } from "@remit/contract";
import type { Role } from "@remit/contract";
import { parseTilePath, tileWidth } from "@remit/core";
import type { FastifyReply } from "fastify";
import { z } from "zod";
import { requireActor } from "../http/doorkeeper.ts";
import type { App } from "../http/http-app.ts";
import type { Tlog } from "./tlog.service.ts";

/** Who may look into everything. An admin holds both. */
const role: readonly Role[] = ["auditor", "operator"];

const compress = promisify(gzip);
const size = z.coerce.number().int().min(0);

/**
 * The ledger as C2SP tlog-tiles has it. Checkpoint and tiles of hashes are open to everybody: they hold nothing but hashes of entries
 * whose ids cannot be guessed, and whoever was given a proof must be able to check it. Entries name people and tools: those are for auditors.
 */
export function registerTlogRoutes(app: App, { tlog }: { tlog: Tlog }): void {
  app.get("/checkpoint", { schema: { hide: true } }, async (_request, reply) => {
    const note = await tlog.checkpoint();
    if (note === null) throw new RemitError("not-found", "The ledger is empty: nothing has been signed yet");
    return open(reply).header("cache-control", "public, max-age=1").type("text/plain; charset=utf-8").serializer(String).send(note);
  });

  app.get("/tile/*", { schema: { hide: true } }, async (request, reply) => {
    const path = new URL(request.url, "http://tiles").pathname.slice(1);
    const wanted = parseTilePath(path);
    if (wanted === null) throw new RemitError("not-found", "That is no path of a tile");
    const isPublic = wanted.level !== "entries";
    if (!isPublic) await requireActor(request, { role });
    const bytes = await tlog.tile(wanted);
    if (bytes === null) throw new RemitError("not-found", "The ledger does not hold that many entries");
    const seconds = wanted.width === tileWidth ? 31_536_000 : 86_400;
    reply.header("cache-control", `${isPublic ? "public" : "private"}, max-age=${seconds}, immutable`).type("application/octet-stream");
    const answer = isPublic ? open(reply) : reply.header("vary", "authorization, accept-encoding");
    if (isPublic || !acceptsGzip(request.headers["accept-encoding"])) return answer.send(Buffer.from(bytes));
    return answer.header("content-encoding", "gzip").send(await compress(bytes));
  });

  app.get(
    "/v1/audit/proof/:entryId",
    {
      schema: {
        summary: "A file that proves that an entry is in the ledger, to be kept by whoever wants to hold it against us (C2SP tlog-proof)",
        params: z.strictObject({ entryId: idSchema("entry") }),
        querystring: z.strictObject({
          /** Whether the entry itself is in the file as its extra data. */
          body: z.enum(["true", "false"]).default("true"),
        }),
      },
    },
    async (request, reply) => {
      await requireActor(request, { role });
      const { entryId } = request.params;
      const file = await tlog.proof(entryId, { body: request.query.body === "true" });
      return reply
        .header("content-disposition", `attachment; filename="${entryId}.tlog-proof"`)
        .type("text/plain; charset=utf-8")
        .serializer(String)
        .send(file);
    },
  );

  app.get(
    "/v1/audit/consistency",
    {
      schema: {
        summary: "Proof that the ledger of so many entries continues the one of fewer",
        querystring: z.strictObject({ from: size, to: size.optional() }),
        response: { 200: consistencyProofSchema },
      },
    },
    async (request) => {
      await requireActor(request, { role });
      return tlog.consistency(request.query.from, request.query.to ?? null);
    },
  );
}

/** For the pages of others as well: a verifier in a browser may read it. */
function open(reply: FastifyReply): FastifyReply {
  return reply.header("access-control-allow-origin", "*").header("cross-origin-resource-policy", "cross-origin");
}

function acceptsGzip(header: string | string[] | undefined): boolean {
  return String(header ?? "")
    .split(",")
    .some((encoding) => /^\s*gzip\s*(;\s*q=(1|0\.0*[1-9]).*)?$/.test(encoding));
}
