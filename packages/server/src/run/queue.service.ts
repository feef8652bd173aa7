import type { Enqueue, Id, IdKind, ItemState, ItemView, JsonObject, QueueSpec, QueueView } from "@remit/contract";
import { RemitError } from "@remit/contract";
import type { Registry } from "@remit/core";
import { didYouMean, subjectsNamed } from "@remit/core";
import type { Database } from "../database/database.ts";
import { pageOf } from "../http/page.ts";
import type { Page } from "../http/page.ts";
import type { RefusalRecorder } from "../identity/refusal-recorder.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { RegistrySource } from "../registry/registry-source.ts";
import type { QueueStore, StoredItem } from "./queue.store.ts";
import { viewItem } from "./run-view.ts";

export type QueueOptions = {
  database: Database;
  queues: QueueStore;
  ledger: Pick<Ledger, "append">;
  registry: RegistrySource;
  /** Many refusals become few entries. */
  refusals: Pick<RefusalRecorder, "note">;
  now: () => Date;
  newId: <Kind extends IdKind>(kind: Kind) => Id<Kind>;
};

export type Queues = {
  /**
   * Adds work. With a key that the queue has had before, nothing is added and the item of that key is returned, whatever became of it.
   * @throws RemitError `not-found` | `too-large` | `queue-full`
   */
  enqueue(actor: string, queue: string, work: Enqueue): Promise<{ item: ItemView; added: boolean }>;
  list(query: { after: string | null; limit: number }): Promise<Page<QueueView>>;
  items(queue: string, query: { state: ItemState | null; before: string | null; limit: number }): Promise<Page<ItemView>>;
};

/** An agent's program is given its work in a variable of its environment, of which Linux takes 128 KiB. */
const maxPayloadLength = 96 * 1024;

export function createQueues({ database, queues, ledger, registry, refusals, now, newId }: QueueOptions): Queues {
  return {
    async enqueue(actor, queue, work) {
      const { maxDepth, subjects: named = [] } = known(registry.current(), queue);
      const about = subjectsNamed(named, work.payload as JsonObject);
      const length = Buffer.byteLength(JSON.stringify(work.payload));
      if (length > maxPayloadLength) {
        throw new RemitError(
          "too-large",
          `The payload has ${length} bytes and may have ${maxPayloadLength}: enqueue where the work is found`,
        );
      }
      const added = await database.transaction(async (transaction): Promise<{ item: StoredItem; added: boolean } | "full"> => {
        await queues.hold(transaction, queue);
        const same = work.key === undefined ? null : await queues.byKey(transaction, queue, work.key);
        if (same !== null) return { item: same, added: false };
        if ((await queues.depth(transaction, queue, maxDepth)) >= maxDepth) return "full";
        const payloadEntry = newId("entry");
        const item = newItem(newId("item"), queue, work, { by: actor, at: now(), payloadEntry });
        await queues.insert(transaction, item);
        const { subject, payload } = item;
        await ledger.append(transaction, [
          {
            id: payloadEntry,
            type: "item-enqueued",
            at: item.enqueuedAt.toISOString(),
            actor,
            data: { itemId: item.id, queue },
            // Work is often about somebody: what the agent is given is here alone, and can be erased.
            payloads: [{ name: "item", subject: `queue:${queue}`, about, value: { subject, payload } }],
          },
        ]);
        return { item, added: true };
      });
      if (added !== "full") return { item: viewItem(added.item), added: added.added };
      const reason = `The queue ${queue} is full: ${maxDepth} items are ready or claimed. Add it again when some of them are done`;
      await refusals.note({ type: "item-refused", actor, code: "queue-full", reason, data: { queue, maxDepth } });
      throw new RemitError("queue-full", reason);
    },

    async list({ after, limit }) {
      const registered = registry.current().queues;
      const depths = await queues.depths(database);
      const count = (queue: string, state: ItemState): number =>
        depths.find((one) => one.queue === queue && one.state === state)?.count ?? 0;
      const names = [...new Set([...registered.keys(), ...depths.map(({ queue }) => queue)])].sort();
      const rows = names
        .filter((name) => after === null || name > after)
        .slice(0, limit + 1)
        .map((name) => ({
          name,
          ready: count(name, "ready"),
          claimed: count(name, "claimed"),
          setAside: count(name, "set-aside"),
          maxDepth: registered.get(name)?.maxDepth ?? null,
        }));
      return pageOf(rows, limit, ({ name }) => [name]);
    },

    async items(queue, { state, before, limit }) {
      const page = pageOf(await queues.list(database, { queue, state, before, limit: limit + 1 }), limit, ({ id }) => [id]);
      // What a queue held that is registered no longer can still be looked at.
      if (page.items.length === 0) known(registry.current(), queue);
      return { items: page.items.map(viewItem), next: page.next };
    },
  };
}

function newItem(id: Id<"item">, queue: string, work: Enqueue, enqueued: { by: string; at: Date; payloadEntry: Id<"entry"> }): StoredItem {
  return {
    id,
    queue,
    state: "ready",
    subject: work.subject,
    payload: work.payload as JsonObject,
    payloadEntry: enqueued.payloadEntry,
    key: work.key ?? null,
    attempts: 0,
    maxAttempts: 0,
    runId: null,
    enqueuedBy: enqueued.by,
    enqueuedAt: enqueued.at,
    endedAt: null,
  };
}

function known(registry: Registry, name: string): QueueSpec {
  const queue = registry.queues.get(name);
  if (queue === undefined) throw new RemitError("not-found", `There is no queue ${name}${didYouMean(name, registry.queues.keys())}`);
  return queue;
}
