import { newId } from "../id/new-id.ts";
import { createConnectionLimits } from "../stream/connection-limits.ts";
import { createEventFeed } from "../stream/event-feed.ts";
import { cursorStore } from "../stream/cursor.postgres.ts";
import { createEventLog } from "../stream/event-log.postgres.ts";
import { gatedDatabase } from "../stream/gate.ts";
import { readNatsSettings } from "../stream/nats-settings.ts";
import { startPublisher } from "../stream/publisher.ts";
import { registerPublisherRoutes } from "../stream/publishers.routes.ts";
import { createRetrySchedule } from "../stream/retry-schedule.ts";
import { startWebhookDeliverer } from "../stream/webhook-deliverer.ts";
import { createWebhookSender } from "../stream/webhook-sender.ts";
import { webhookStore } from "../stream/webhook.postgres.ts";
import { registerWebhookRoutes } from "../stream/webhooks.routes.ts";
import { createWebhooks } from "../stream/webhooks.service.ts";
import { registerEventRoutes } from "../stream/events.routes.ts";
import type { Database } from "../database/database.ts";
import type { App } from "../http/http-app.ts";
import type { KeyStore } from "../keys/key-store.ts";
import type { MasterKey } from "../keys/master-key.ts";
import type { OpenLedger } from "../ledger/ledger.postgres.ts";
import type { Outbound } from "../outbound/outbound.ts";
import type { KnownSecrets } from "../secret/known-secrets.ts";
import type { WebhookDeliverer } from "../stream/webhook-deliverer.ts";

export type StreamParts = {
  database: Database;
  ledger: OpenLedger;
  outbound: Outbound;
  masterKey: MasterKey;
  keys: KeyStore;
  known: KnownSecrets;
  environment: Readonly<Record<string, string | undefined>>;
  now: () => Date;
  onError: (what: string) => (error: unknown) => void;
};

export type Streams = {
  /** Begins to send. */
  start(): void;
  /** Ends what is being sent, and every stream that somebody reads. */
  stop(): Promise<void>;
  /** Ends the reading itself, after {@link Streams.stop}. */
  close(): Promise<void>;
};

/**
 * A page of the composition root: the way out of the ledger. Whoever reads it takes no connection that an action needs, and holds nothing up.
 */
export async function openStreams(app: App, parts: StreamParts): Promise<Streams> {
  const { database, ledger, outbound, masterKey, keys, known, environment, now, onError } = parts;
  let deliverer: WebhookDeliverer | null = null;
  let publisher: ReturnType<typeof startPublisher> | null = null;
  const streamDatabase = gatedDatabase(database, 2);
  const feed = createEventFeed({
    log: createEventLog(streamDatabase),
    onAppended: ledger.onAppended,
    onProblem: onError("events cannot be read"),
  });
  const streams = registerEventRoutes(app, {
    feed,
    limits: createConnectionLimits({ perPrincipal: 8, total: 256 }),
    onProblem: onError("an event stream broke off"),
  });
  const webhookParts = {
    database: streamDatabase,
    store: webhookStore,
    feed,
    send: createWebhookSender({ outbound, now }),
    masterKey,
    signingKey: await keys.signingKey("webhooks", "Ed25519"),
    ledger,
    now,
    newId,
  };
  registerPublisherRoutes(app, { database, cursors: cursorStore, feed, ledger, now, newId });
  registerWebhookRoutes(app, { webhooks: createWebhooks({ ...webhookParts, onChanged: () => deliverer?.wake() }) });

  return {
    start() {
      deliverer = startWebhookDeliverer({
        ...webhookParts,
        schedule: createRetrySchedule(Math.random),
        known,
        onProblem: onError("events could not be sent to an endpoint"),
      });
      const nats = readNatsSettings(environment);
      if (nats?.token !== undefined) known.add([nats.token]);
      if (nats !== null)
        publisher = startPublisher({
          name: `nats:${nats.stream}`,
          database: streamDatabase,
          cursors: cursorStore,
          feed,
          // Loaded where it is used: most servers publish nothing.
          open: async () => (await import("../stream/nats-sink.ts")).openNatsSink(nats),
          onProblem: onError("events could not be published to NATS"),
        });
    },
    async stop() {
      streams.stop();
      await publisher?.stop();
      await deliverer?.stop();
    },
    close: async () => feed.stop(),
  };
}
