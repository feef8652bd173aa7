import { streamedEventSchema } from "@remit/contract";
import type { Person, StreamedEvent } from "@remit/contract";
import { createTestApp, testDoorkeeper } from "../http/http-app.testing.ts";
import type { App } from "../http/http-app.ts";
import { openTestLedger } from "../ledger/ledger.testing.ts";
import type { LedgerParts } from "../ledger/ledger.testing.ts";
import type { TestDatabase } from "../database/testing.ts";
import { createConnectionLimits } from "./connection-limits.ts";
import { createEventFeed } from "./event-feed.ts";
import type { EventFeed } from "./event-feed.ts";
import { createEventLog } from "./event-log.postgres.ts";
import { registerEventRoutes } from "./events.routes.ts";
import type { StreamTimes } from "./serve-stream.ts";

export const testPerson = (party: string, roles: Person["roles"]): Person => ({
  party,
  roles,
  sessionId: `ses_${"0".repeat(32)}` as Person["sessionId"],
  linkedBy: "service:machine",
});

export type TestStream = TestDatabase &
  LedgerParts & {
    app: App;
    feed: EventFeed;
    url: string;
    /** Who has a session, by its token. */
    people: Record<string, Person>;
    stopStreams(): void;
  };

/** A ledger with its stream, on a port of its own. */
export async function openTestStream(options: { times?: Partial<StreamTimes>; perPrincipal?: number } = {}): Promise<TestStream> {
  const test = await openTestLedger({ mergeMs: 5, pollMs: 10 });
  const people: Record<string, Person> = {
    anna: testPerson("anna", ["auditor"]),
    olga: testPerson("olga", ["operator"]),
    vera: testPerson("vera", ["viewer"]),
  };
  const app = await createTestApp({ doorkeeper: { ...testDoorkeeper(), person: async (token) => people[token] ?? null } });
  const feed = createEventFeed({ log: createEventLog(test.database), pollMs: 20 });
  const limits = createConnectionLimits({ perPrincipal: options.perPrincipal ?? 8, total: 100 });
  const streams = registerEventRoutes(app, { feed, limits, times: { recheckMs: 0, ...options.times } });
  await app.listen({ host: "127.0.0.1", port: 0 });
  const address = app.server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    ...test,
    app,
    feed,
    people,
    url: `http://127.0.0.1:${port}`,
    stopStreams: () => streams.stop(),
    [Symbol.asyncDispose]: async () => {
      streams.stop();
      await app.close();
      feed.stop();
      await test[Symbol.asyncDispose]();
    },
  };
}

export type TestConsumer = {
  events: StreamedEvent[];
  /** Blocks of the stream as they came. */
  blocks: string[];
  status: number;
  headers: Headers;
  /** Resolves when the stream has ended. */
  ended: Promise<void>;
  close(): void;
};

/** Somebody who listens. */
export async function listen(url: string, options: { query?: string; session?: string; lastEventId?: string } = {}): Promise<TestConsumer> {
  const gone = new AbortController();
  const response = await fetch(`${url}/v1/events${options.query ?? ""}`, {
    headers: {
      accept: "text/event-stream",
      authorization: `Bearer ${options.session ?? "anna"}`,
      ...(options.lastEventId === undefined ? {} : { "last-event-id": options.lastEventId }),
    },
    signal: gone.signal,
  });
  const consumer: Omit<TestConsumer, "ended"> = {
    events: [],
    blocks: [],
    status: response.status,
    headers: response.headers,
    close: () => gone.abort(),
  };
  async function read(): Promise<void> {
    let rest = "";
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      const blocks = (rest + decoder.decode(chunk as Uint8Array, { stream: true })).split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        consumer.blocks.push(block);
        const data = /^data: (.*)$/m.exec(block)?.[1];
        if (data !== undefined && !block.startsWith("event:")) consumer.events.push(streamedEventSchema.parse(JSON.parse(data)));
      }
    }
  }
  const ended = read().catch(() => {});
  return Object.assign(consumer, { ended });
}
