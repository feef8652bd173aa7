import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { streamedEventSchema } from "@remit/contract";
import type { StreamedEvent, WebhookWithSecret } from "@remit/contract";
import { newId } from "../id/new-id.ts";
import { openTestLedger, testMasterKey } from "../ledger/ledger.testing.ts";
import type { LedgerParts } from "../ledger/ledger.testing.ts";
import type { TestDatabase } from "../database/testing.ts";
import { createOutbound } from "../outbound/outbound-fetch.ts";
import { createKnownSecrets } from "../secret/known-secrets.ts";
import type { KnownSecrets } from "../secret/known-secrets.ts";
import { createEventFeed } from "./event-feed.ts";
import type { EventFeed } from "./event-feed.ts";
import { createEventLog } from "./event-log.postgres.ts";
import { gatedDatabase } from "./gate.ts";
import { createRetrySchedule } from "./retry-schedule.ts";
import { startWebhookDeliverer } from "./webhook-deliverer.ts";
import type { WebhookDeliverer, WebhookDelivererDeps } from "./webhook-deliverer.ts";
import { createWebhookSender } from "./webhook-sender.ts";
import { webhookStore } from "./webhook.postgres.ts";
import { createWebhooks } from "./webhooks.service.ts";
import type { Webhooks } from "./webhooks.service.ts";

export type ReceivedMessage = { path: string; headers: Record<string, string>; body: string; event: StreamedEvent | null };

export type Receiver = AsyncDisposable & {
  url: string;
  /** Everything that came, also what was not answered with success. */
  got: ReceivedMessage[];
  /** Events that were answered with success. */
  taken: StreamedEvent[];
  /** What it answers; by itself 204. A promise that does not resolve hangs. */
  answer: (message: ReceivedMessage) => number | Promise<number>;
  answerHeaders: Record<string, string>;
};

/** An endpoint of somebody's. */
export async function openReceiver(): Promise<Receiver> {
  const receiver = { got: [] as ReceivedMessage[], taken: [] as StreamedEvent[], answer: () => 204, answerHeaders: {} } as Omit<
    Receiver,
    "url" | typeof Symbol.asyncDispose
  >;
  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = "";
    for await (const chunk of request) body += String(chunk);
    const parsed = streamedEventSchema.safeParse(JSON.parse(body));
    const message = {
      path: request.url ?? "",
      headers: request.headers as Record<string, string>,
      body,
      event: parsed.success ? parsed.data : null,
    };
    receiver.got.push(message);
    const status = await receiver.answer(message);
    if (status >= 200 && status < 300 && message.event !== null) receiver.taken.push(message.event);
    response.writeHead(status, receiver.answerHeaders).end();
  }
  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return Object.assign(receiver, {
    url: `http://127.0.0.1:${port}/hook`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}

export type TestWebhooks = TestDatabase &
  LedgerParts & {
    webhooks: Webhooks;
    feed: EventFeed;
    known: KnownSecrets;
    problems: unknown[];
    /** One more server that delivers. */
    deliver(more?: Partial<WebhookDelivererDeps>): WebhookDeliverer;
    add(url: string, more?: Partial<Parameters<Webhooks["add"]>[0]>): Promise<WebhookWithSecret>;
    entryTypes(): Promise<string[]>;
  };

/** Endpoints as a server has them. Retries come at once: a few milliseconds stand for minutes and hours. */
export async function openTestWebhooks(delays: readonly number[] = Array.from({ length: 9 }, () => 10)): Promise<TestWebhooks> {
  const test = await openTestLedger({ mergeMs: 5, pollMs: 10 });
  const database = gatedDatabase(test.database, 2);
  const feed = createEventFeed({ log: createEventLog(database), pollMs: 20 });
  const known = createKnownSecrets();
  const problems: unknown[] = [];
  const deliverers: WebhookDeliverer[] = [];
  const parts = {
    database,
    store: webhookStore,
    feed,
    send: createWebhookSender({ outbound: createOutbound({ allow: ["127.0.0.0/8"] }), now: () => new Date(), timeoutMs: 30_000 }),
    masterKey: testMasterKey,
    signingKey: await test.keys.signingKey("webhooks", "Ed25519"),
    ledger: test.ledger,
    now: () => new Date(),
    newId,
  };
  const webhooks = createWebhooks({ ...parts, onChanged: () => deliverers.forEach((one) => one.wake()) });
  return {
    ...test,
    webhooks,
    feed,
    known,
    problems,
    deliver(more = {}) {
      const schedule = createRetrySchedule(() => 0.5, delays);
      const one = startWebhookDeliverer({
        ...parts,
        schedule,
        known,
        onProblem: (problem) => problems.push(problem),
        leaseMs: 30_000,
        claimMs: 50,
        ...more,
      });
      deliverers.push(one);
      return one;
    },
    add: (url, more = {}) => webhooks.add({ url, description: "", types: null, agent: null, from: 0, ...more }, "party:olga"),
    async entryTypes() {
      const rows = await test.database.query<{ type: string }>("SELECT type FROM ledger_entry WHERE type LIKE 'webhook-%' ORDER BY at, id");
      return rows.map(({ type }) => type);
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(deliverers.map((one) => one.stop()));
      feed.stop();
      await test[Symbol.asyncDispose]();
    },
  };
}
