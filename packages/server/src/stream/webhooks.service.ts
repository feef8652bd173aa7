import { randomUUID } from "node:crypto";
import type {
  AddWebhook,
  DeadLetter,
  EntryType,
  Id,
  IdKind,
  NewEntry,
  ReplayWebhook,
  WebhookAttempt,
  WebhookView,
  WebhookWithSecret,
} from "@remit/contract";
import { eventTypePrefix, RemitError } from "@remit/contract";
import { durationSeconds } from "@remit/core";
import { z } from "zod";
import type { Database, Transaction } from "../database/database.ts";
import { pageOf, positionOf } from "../http/page.ts";
import type { Page, PageQuery } from "../http/page.ts";
import type { SigningKey } from "../keys/key-store.ts";
import type { MasterKey } from "../keys/master-key.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { defaultOrigin } from "../ledger/ledger-key.ts";
import type { EventFeed } from "./event-feed.ts";
import type { Sent, WebhookSender } from "./webhook-sender.ts";
import { newWebhookSecret, openWebhookSecret, sealWebhookSecret, webhookSecretBytes } from "./webhook-secrets.ts";
import { webhookPublicKey } from "./webhook-signature.ts";
import type { StoredWebhook, WebhookStore } from "./webhook.store.ts";

export type WebhookOptions = {
  database: Database;
  store: WebhookStore;
  feed: Pick<EventFeed, "size" | "read">;
  send: WebhookSender;
  masterKey: MasterKey;
  signingKey: SigningKey;
  ledger: Pick<Ledger, "append">;
  /** Something may be delivered that could not before. */
  onChanged: () => void;
  now: () => Date;
  newId: <K extends IdKind>(kind: K) => Id<K>;
};

/** Endpoints that events are sent to, as people manage them. `actor` is who asks, as in an entry. */
export type Webhooks = {
  add(webhook: AddWebhook, actor: string): Promise<WebhookWithSecret>;
  list(query: PageQuery): Promise<Page<WebhookView>>;
  show(id: string): Promise<WebhookView>;
  rotateSecret(id: string, overlap: string, actor: string): Promise<WebhookWithSecret>;
  pause(id: string, reason: string, actor: string): Promise<WebhookView>;
  resume(id: string, fromNow: boolean, actor: string): Promise<WebhookView>;
  remove(id: string, actor: string): Promise<void>;
  /** Sends an event that says nothing, now. */
  test(id: string): Promise<Sent>;
  replay(id: string, what: ReplayWebhook, actor: string): Promise<WebhookView>;
  deadLetters(id: string, query: PageQuery): Promise<Page<DeadLetter>>;
  /** One of them, or all, wait again. How many. */
  retryDeadLetters(id: string, event: string | null, actor: string): Promise<number>;
  attempts(id: string, query: PageQuery): Promise<Page<WebhookAttempt>>;
};

const maxWebhooks = 100;

export function createWebhooks(options: WebhookOptions): Webhooks {
  const { database, store, feed, now } = options;

  function entry(type: EntryType, { id, url }: { id: string; url: string }, actor: string, data: NewEntry["data"] = {}): NewEntry {
    // Paths of endpoints are often secrets: the entry says where, and the endpoint itself what exactly.
    return {
      id: options.newId("entry"),
      type,
      at: now().toISOString(),
      actor,
      data: { webhookId: id, origin: new URL(url).origin, ...data },
    };
  }

  async function viewsOf(webhooks: readonly StoredWebhook[]): Promise<WebhookView[]> {
    const counts = await store.counts(
      database,
      webhooks.map(({ id }) => id),
    );
    const size = await feed.size();
    return Promise.all(
      webhooks.map(async (webhook) => {
        const secrets = await store.secrets(database, webhook.id, now());
        const { waiting, dead } = counts.get(webhook.id) ?? { waiting: 0, dead: 0 };
        return {
          id: webhook.id,
          url: webhook.url,
          description: webhook.description,
          types: webhook.types,
          agent: webhook.agent,
          state: webhook.state,
          reason: webhook.reason,
          createdBy: webhook.createdBy,
          createdAt: webhook.createdAt.toISOString(),
          place: webhook.place,
          behind: Math.max(0, size - webhook.place),
          waiting,
          deadLetters: dead,
          failures: webhook.failures,
          lastSuccessAt: webhook.lastSuccessAt?.toISOString() ?? null,
          lastFailureAt: webhook.lastFailureAt?.toISOString() ?? null,
          secrets: secrets.map(({ version, createdAt, endsAt }) => ({
            version,
            createdAt: createdAt.toISOString(),
            endsAt: endsAt?.toISOString() ?? null,
          })),
          publicKey: webhookPublicKey(options.signingKey.publicKey),
        };
      }),
    );
  }

  async function show(id: string): Promise<WebhookView> {
    const webhook = await store.get(database, id);
    const [view] = webhook === null ? [] : await viewsOf([webhook]);
    if (view === undefined) throw unknown(id);
    return view;
  }

  async function existing(id: string): Promise<void> {
    if ((await store.get(database, id)) === null) throw unknown(id);
  }

  /** Changes one, taking it away from whoever delivers to it; that server, or another, takes it up again. */
  async function change(id: string, work: (transaction: Transaction, webhook: StoredWebhook) => Promise<NewEntry>): Promise<void> {
    await database.transaction(async (transaction) => {
      const webhook = await store.takeAway(transaction, id);
      if (webhook === null) throw unknown(id);
      await options.ledger.append(transaction, [await work(transaction, webhook)]);
    });
    options.onChanged();
  }

  async function insertSecret(transaction: Transaction, id: string, version: number, createdBy: string): Promise<string> {
    const secret = newWebhookSecret();
    const sealed = sealWebhookSecret(options.masterKey, id, version, secret);
    await store.insertSecret(transaction, id, { version, sealed, createdAt: now(), createdBy, endsAt: null });
    return secret;
  }

  /** A place that the ledger has, or the next one. */
  async function placeOf(from: number): Promise<number> {
    const size = await feed.size();
    if (from <= size) return from;
    throw new RemitError("invalid-request", `The ledger has ${size} entries: there is no place ${from} yet`);
  }

  return {
    async add({ url, description, types, agent, from }, actor) {
      const place = from === null ? await feed.size() : await placeOf(from);
      const webhook: StoredWebhook = {
        id: options.newId("webhook"),
        url,
        description,
        types,
        agent,
        state: "active",
        reason: null,
        createdBy: actor,
        createdAt: now(),
        place,
        failures: 0,
        probeAt: null,
        lastSuccessAt: null,
        lastFailureAt: null,
      };
      const secret = await database.transaction(async (transaction) => {
        if ((await store.count(transaction)) >= maxWebhooks) {
          throw new RemitError("conflict", `There are ${maxWebhooks} endpoints already; remove one first: remit webhook list`);
        }
        await store.insert(transaction, webhook);
        const made = await insertSecret(transaction, webhook.id, 1, actor);
        await options.ledger.append(transaction, [entry("webhook-added", webhook, actor, { types, agent, from: place })]);
        return made;
      });
      options.onChanged();
      return { webhook: await show(webhook.id), secret };
    },

    async list(query) {
      const after = positionOf(query, z.tuple([z.string()]))?.[0] ?? null;
      const { items, next } = pageOf(await store.list(database, { after, limit: query.limit + 1 }), query.limit, ({ id }) => [id]);
      return { items: await viewsOf(items), next };
    },

    show,

    async rotateSecret(id, overlap, actor) {
      const endsAt = new Date(now().getTime() + durationSeconds(overlap) * 1_000);
      let secret = "";
      await change(id, async (transaction, webhook) => {
        const version = ((await store.secrets(transaction, id, new Date(0)))[0]?.version ?? 0) + 1;
        secret = await insertSecret(transaction, id, version, actor);
        await store.endSecrets(transaction, id, version, endsAt);
        return entry("webhook-secret-rotated", webhook, actor, { version, overlapEnds: endsAt.toISOString() });
      });
      return { webhook: await show(id), secret };
    },

    async pause(id, reason, actor) {
      await change(id, async (transaction, webhook) => {
        if (webhook.state === "paused") throw new RemitError("conflict", `${id} is paused already`);
        await store.setState(transaction, id, "paused", reason);
        return entry("webhook-paused", webhook, actor, { reason });
      });
      return show(id);
    },

    async resume(id, fromNow, actor) {
      const size = await feed.size();
      await change(id, async (transaction, webhook) => {
        if (webhook.state === "active" && !fromNow) throw new RemitError("conflict", `${id} is not paused`);
        await store.setState(transaction, id, "active", null);
        if (fromNow) {
          // What waits is left out as well.
          await store.setPlace(transaction, id, 0);
          await store.setPlace(transaction, id, size);
        } else await store.hurry(transaction, id, now());
        return entry("webhook-resumed", webhook, actor, fromNow ? { skipped: Math.max(0, size - webhook.place), from: size } : {});
      });
      return show(id);
    },

    async remove(id, actor) {
      await change(id, async (transaction, webhook) => {
        await store.remove(transaction, id);
        return entry("webhook-removed", webhook, actor);
      });
    },

    async test(id) {
      const webhook = await store.get(database, id);
      if (webhook === null) throw unknown(id);
      const stored = await store.secrets(database, id, now());
      const secrets = stored.map((secret) => webhookSecretBytes(openWebhookSecret(options.masterKey, id, secret)));
      return options.send({ url: webhook.url, keys: { secrets, privateKey: options.signingKey.privateKey } }, {
        specversion: "1.0",
        id: `test_${randomUUID()}`,
        source: defaultOrigin,
        type: `${eventTypePrefix}webhook-test`,
        time: now().toISOString(),
        datacontenttype: "application/json",
        data: { webhookId: id },
      } as { id: string });
    },

    async replay(id, what, actor) {
      if ("from" in what) {
        const place = await placeOf(what.from);
        await change(id, async (transaction, webhook) => {
          await store.setPlace(transaction, id, place);
          return entry("webhook-replayed", webhook, actor, { from: place });
        });
        return show(id);
      }
      const event = await findEvent(what.event);
      await change(id, async (transaction, webhook) => {
        const { seq, type, lane } = event;
        await store.putWaiting(transaction, id, { seq, entryId: what.event, type, lane, attempts: 0, firstAt: now() });
        return entry("webhook-replayed", webhook, actor, { event: what.event });
      });
      return show(id);
    },

    async deadLetters(id, query) {
      await existing(id);
      const after = positionOf(query, z.tuple([z.int()]))?.[0] ?? null;
      const rows = await store.deadLetters(database, id, { after, limit: query.limit + 1 });
      return pageOf(rows, query.limit, ({ sequence }) => [sequence]);
    },

    async retryDeadLetters(id, event, actor) {
      let count = 0;
      await change(id, async (transaction, webhook) => {
        count = await store.revive(transaction, id, event, now());
        if (event !== null && count === 0) throw new RemitError("not-found", `${id} has no dead letter ${event}`);
        return entry("webhook-replayed", webhook, actor, { deadLetters: count });
      });
      return count;
    },

    async attempts(id, query) {
      await existing(id);
      const before = positionOf(query, z.tuple([z.string().regex(/^\d{1,18}$/)]))?.[0] ?? null;
      const rows = await store.attempts(database, id, { before, limit: query.limit + 1 });
      return pageOf(rows, query.limit, (row) => [row.id]);
    },
  };

  async function findEvent(entryId: string): Promise<{ seq: number; type: string; lane: string }> {
    const seq = await store.placeOfEntry(database, entryId);
    const [event] = seq === null ? [] : (await feed.read(seq, { types: null, run: null, agent: null }, 1)).events;
    if (seq === null || event === undefined) throw new RemitError("not-found", `The ledger has no event ${entryId}`);
    return { seq, type: event.type, lane: event.runid ?? "" };
  }
}

function unknown(id: string): RemitError {
  return new RemitError("not-found", `There is no endpoint ${id}; see: remit webhook list`);
}
