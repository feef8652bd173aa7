import { randomUUID } from "node:crypto";
import type { EventFilter, StreamedEvent } from "@remit/contract";
import type { Queryable } from "../database/database.ts";
import type { CursorStore } from "./cursor.store.ts";
import type { EventFeed } from "./event-feed.ts";
import { pause } from "./pause.ts";

/** Something that takes events and keeps them: a broker. */
export type EventSink = {
  /** Resolves once the event is kept. An event that is there already counts as kept. */
  publish(event: StreamedEvent): Promise<void>;
  close(): Promise<void>;
};

export type PublisherDeps = {
  /** Of the cursor. */
  name: string;
  database: Queryable;
  cursors: CursorStore;
  feed: EventFeed;
  /** Reaches the broker, or throws. */
  open: () => Promise<EventSink>;
  /** What goes wrong, once each time that it begins. It goes on trying. */
  onProblem: (error: unknown) => void;
  leaseMs?: number;
  /** How long it waits after a failure at most. */
  maxPauseMs?: number;
};

const windowSize = 256;
const publishingAtOnce = 32;
const everything: EventFilter = { types: null, run: null, agent: null };

/**
 * Publishes the ledger to a broker: every server runs one, and one of them holds the lease. Its place moves on once the broker has kept
 * everything before it, so that an outage on either side is made up for from there.
 */
export function startPublisher(deps: PublisherDeps): { stop(): Promise<void> } {
  const { name, database, cursors, feed, leaseMs = 10_000, maxPauseMs = 5_000 } = deps;
  const holder = randomUUID();
  const stopping = new AbortController();
  const { signal } = stopping;
  let failing = false;

  /** Until the lease is lost, the server stops, or something fails. */
  async function publish(held: { place: number; epoch: string }, sink: EventSink): Promise<void> {
    let { place } = held;
    while (!signal.aborted) {
      const { events, next } = await feed.read(place, everything, windowSize);
      await keepAll(sink, events);
      failing = false;
      place = next;
      if (!(await cursors.move(database, name, held.epoch, place, leaseMs))) return;
      if (events.length === 0) await feed.untilBeyond(place, signal, leaseMs / 3);
    }
  }

  async function turn(): Promise<void> {
    const held = await cursors.claim(database, name, holder, leaseMs, 0);
    if (held === null) return;
    // A window may take long, and the broker longer: the lease is renewed meanwhile.
    const renewing = setInterval(() => {
      cursors.move(database, name, held.epoch, 0, leaseMs).catch(() => {});
    }, leaseMs / 3);
    try {
      const sink = await deps.open();
      try {
        await publish(held, sink);
      } finally {
        await sink.close();
      }
    } finally {
      clearInterval(renewing);
      await cursors.release(database, name, held.epoch).catch(() => {});
    }
  }

  async function run(): Promise<void> {
    let pauseMs = 100;
    while (!signal.aborted) {
      try {
        await turn();
        pauseMs = 100;
      } catch (error) {
        if (!failing && !signal.aborted) deps.onProblem(error);
        failing = true;
        pauseMs = Math.min(pauseMs * 2, maxPauseMs);
      }
      if (!signal.aborted) await pause(failing ? pauseMs : Math.min(leaseMs / 3, 1_000), signal);
    }
  }

  const running = run();
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

/** Runs beside each other, and each in its order: what follows a failure in its run is not sent. */
async function keepAll(sink: EventSink, events: readonly StreamedEvent[]): Promise<void> {
  const lanes = [...Map.groupBy(events, ({ runid }) => runid ?? "").values()];
  async function work(): Promise<void> {
    for (let lane = lanes.shift(); lane !== undefined; lane = lanes.shift()) {
      try {
        for (const event of lane) await sink.publish(event);
      } catch (error) {
        // No further lane is begun.
        lanes.length = 0;
        throw error;
      }
    }
  }
  const outcomes = await Promise.allSettled(Array.from({ length: publishingAtOnce }, work));
  const wrong = outcomes.find((outcome) => outcome.status === "rejected");
  if (wrong !== undefined) throw wrong.reason;
}
