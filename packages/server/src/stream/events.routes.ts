import { eventBatchMediaType, eventTypesSchema, RemitError } from "@remit/contract";
import type { EventFilter, Role } from "@remit/contract";
import type { FastifyRequest } from "fastify";
import { z } from "zod";
import { requireActor } from "../http/doorkeeper.ts";
import type { App } from "../http/http-app.ts";
import type { ConnectionLimits } from "./connection-limits.ts";
import { eventSchemaDocument } from "./event-schema.ts";
import type { EventFeed } from "./event-feed.ts";
import { serveStream } from "./serve-stream.ts";
import type { StreamTimes } from "./serve-stream.ts";

export type EventRoutesDeps = {
  feed: EventFeed;
  limits: ConnectionLimits;
  times?: Partial<StreamTimes>;
  onProblem?: (error: unknown) => void;
};

/** Who may look into everything. An admin holds both. */
const role: readonly Role[] = ["auditor", "operator"];
const defaultTimes: StreamTimes = { heartbeatMs: 15_000, recheckMs: 1_000, stallMs: 30_000 };
const maxWindows = 50;

const text = z.string().min(1).max(300).optional();
const querystring = z.strictObject({
  types: eventTypesSchema.optional(),
  run: text,
  agent: text,
  /** Events after the one of this sequence number; -1: from the first one on. */
  after: z.coerce.number().int().min(-1).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
});

/** The stream of events. What {@link stop} ends is told to come back: another server goes on where this one was. */
export function registerEventRoutes(app: App, deps: EventRoutesDeps): { stop(): void } {
  const { feed, limits } = deps;
  const times = { ...defaultTimes, ...deps.times };
  const stopping = new AbortController();

  app.get(
    "/v1/events",
    {
      schema: {
        summary: "Events as they happen (text/event-stream), or some of them at once (application/cloudevents-batch+json)",
        querystring,
      },
    },
    async (request, reply) => {
      const principal = await requireActor(request, { role });
      const { types, run, agent, after, limit } = request.query;
      const filter: EventFilter = { types: types ?? null, run: run ?? null, agent: agent ?? null };
      const from = await startOf(feed, lastEventId(request) ?? after ?? null);

      if (!wantsStream(request)) {
        const { events, next } = from === null ? await feed.newest(filter, limit) : await readUpTo(feed, from, filter, limit);
        // Always there: what follows may not have happened yet.
        const query = new URLSearchParams({ limit: String(limit) });
        if (types !== undefined) query.set("types", types.join(","));
        if (run !== undefined) query.set("run", run);
        if (agent !== undefined) query.set("agent", agent);
        query.set("after", String(next - 1));
        reply.header("link", `</v1/events?${query.toString()}>; rel="next"`);
        // Serialised here: the app's own serializer knows no schema for this media type.
        return reply.type(eventBatchMediaType).serializer(String).send(JSON.stringify(events));
      }

      const release = limits.take(principal);
      const gone = new AbortController();
      reply.hijack();
      const { raw } = reply;
      raw.on("close", () => gone.abort());
      raw.on("error", () => gone.abort());
      raw.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "x-accel-buffering": "no", connection: "keep-alive" });
      try {
        await serveStream({
          feed,
          filter,
          from: from ?? (await feed.size()),
          to: raw,
          authorise: async () => void (await requireActor(request, { role })),
          times,
          signal: AbortSignal.any([gone.signal, stopping.signal]),
        });
      } catch (error) {
        deps.onProblem?.(error);
      } finally {
        release();
      }
    },
  );

  app.get("/v1/events/schema", { schema: { summary: "What events there are, as an AsyncAPI document" } }, async (request) => {
    await requireActor(request);
    return eventSchemaDocument();
  });

  return { stop: () => stopping.abort() };
}

/** Where to begin; null: with what happens from now on. */
async function startOf(feed: EventFeed, after: number | null): Promise<number | null> {
  if (after === null) return null;
  const size = await feed.size();
  if (after < size) return after + 1;
  // To wait would be to lose, in silence, whatever takes these places.
  throw new RemitError(
    "conflict",
    `This ledger has ${size} entries, so ${after} is a place in another one, or it was restored from a backup`,
  );
}

function lastEventId(request: FastifyRequest): number | null {
  const header = request.headers["last-event-id"];
  if (header === undefined || header === "") return null;
  if (typeof header !== "string" || !/^\d{1,15}$/.test(header)) {
    throw new RemitError("invalid-request", "Last-Event-ID is not the id of an event of this stream");
  }
  return Number(header);
}

function wantsStream(request: FastifyRequest): boolean {
  return (request.headers.accept ?? "").toLowerCase().includes("text/event-stream");
}

async function readUpTo(feed: EventFeed, from: number, filter: EventFilter, limit: number) {
  let place = from;
  const events = [];
  for (let windows = 0; events.length < limit && windows < maxWindows; windows += 1) {
    const window = await feed.read(place, filter, limit - events.length);
    events.push(...window.events);
    if (window.next === place) break;
    place = window.next;
  }
  return { events, next: place };
}
