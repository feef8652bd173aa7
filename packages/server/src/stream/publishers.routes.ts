import { movePublisherSchema, publisherViewSchema, RemitError } from "@remit/contract";
import type { PublisherView } from "@remit/contract";
import { z } from "zod";
import type { Database } from "../database/database.ts";
import { requireActor } from "../http/doorkeeper.ts";
import type { App } from "../http/http-app.ts";
import type { newId } from "../id/new-id.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { CursorStore } from "./cursor.store.ts";
import type { EventFeed } from "./event-feed.ts";

export type PublisherRoutesDeps = {
  database: Database;
  cursors: CursorStore;
  feed: Pick<EventFeed, "size">;
  ledger: Pick<Ledger, "append">;
  now: () => Date;
  newId: typeof newId;
};

/** How far events have been published, and publishing them again: after a broker has lost some, or its stream was made anew. */
export function registerPublisherRoutes(app: App, { database, cursors, feed, ledger, now, newId }: PublisherRoutesDeps): void {
  async function list(): Promise<PublisherView[]> {
    const size = await feed.size();
    return (await cursors.list(database)).map((cursor) => ({ ...cursor, behind: Math.max(0, size - cursor.place) }));
  }

  app.get(
    "/v1/publishers",
    {
      schema: {
        summary: "How far events have been published to brokers",
        response: { 200: z.object({ items: z.array(publisherViewSchema) }) },
      },
    },
    async (request) => {
      await requireActor(request, { role: ["operator", "admin", "auditor"] });
      return { items: await list() };
    },
  );

  app.post(
    "/v1/publishers/:name/move",
    {
      schema: {
        summary: "Publish from another place on; what was published before is published again, under the same ids",
        params: z.object({ name: z.string() }),
        body: movePublisherSchema,
        response: { 200: publisherViewSchema },
      },
    },
    async (request) => {
      const actor = await requireActor(request, { role: ["operator", "admin"] });
      const { name } = request.params;
      const { from } = request.body;
      const size = await feed.size();
      // What takes these places later would never be published.
      if (from > size) throw new RemitError("conflict", `The ledger has ${size} entries: there is no place ${from} yet`);
      await database.transaction(async (transaction) => {
        const before = await cursors.put(transaction, name, from);
        if (before === null) throw new RemitError("not-found", `Nothing is published as ${name}; see: remit events publishers`);
        await ledger.append(transaction, [
          { id: newId("entry"), type: "publisher-moved", at: now().toISOString(), actor, data: { publisher: name, before, from } },
        ]);
      });
      const moved = (await list()).find((publisher) => publisher.name === name);
      if (moved === undefined) throw new RemitError("not-found", `Nothing is published as ${name} any more`);
      return moved;
    },
  );
}
