import { randomUUID } from "node:crypto";
import type { EventFilter, IdKind, Id, StreamedEvent } from "@remit/contract";
import { RemitError } from "@remit/contract";
import type { Database } from "../database/database.ts";
import type { SigningKey } from "../keys/key-store.ts";
import type { MasterKey } from "../keys/master-key.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { KnownSecrets } from "../secret/known-secrets.ts";
import type { EventFeed } from "./event-feed.ts";
import { pause } from "./pause.ts";
import type { RetrySchedule } from "./retry-schedule.ts";
import { downAfter, sendLanes } from "./send-lanes.ts";
import type { WebhookSender } from "./webhook-sender.ts";
import { openWebhookSecret, webhookSecretBytes } from "./webhook-secrets.ts";
import type { Held, WaitingDelivery, WebhookStore } from "./webhook.store.ts";

export type WebhookDelivererDeps = {
  database: Database;
  store: WebhookStore;
  feed: EventFeed;
  send: WebhookSender;
  schedule: RetrySchedule;
  masterKey: MasterKey;
  signingKey: SigningKey;
  ledger: Pick<Ledger, "append">;
  known: Pick<KnownSecrets, "add" | "forget">;
  now: () => Date;
  newId: <K extends IdKind>(kind: K) => Id<K>;
  onProblem: (error: unknown) => void;
  leaseMs?: number;
  /** How often a server looks for endpoints that nobody delivers to. */
  claimMs?: number;
};

export type WebhookDeliverer = {
  /** Looks for endpoints now: one was added, or is to go on. */
  wake(): void;
  stop(): Promise<void>;
};

const day = 86_400_000;
const windowSize = 64;
/** An endpoint with more than this waiting reads no further: the ledger keeps the rest. */
const maxWaiting = 1_000;
const pruneEveryMs = 3_600_000;
const everything: EventFilter = { types: null, run: null, agent: null };

/**
 * Delivers events to endpoints. Every server runs one; each endpoint is tended by one of them at a time, under a lease, and what came of a
 * pass is written only under the lease's epoch. Each endpoint has a loop of its own, so that one that hangs holds up itself alone.
 */
export function startWebhookDeliverer(deps: WebhookDelivererDeps): WebhookDeliverer {
  const { database, store, feed, now, leaseMs = 30_000, claimMs = 1_000 } = deps;
  const holder = randomUUID();
  const stopping = new AbortController();
  const tended = new Map<string, { lost: AbortController; ended: Promise<unknown> }>();
  let wakeClaim = (): void => {};
  let pruneAt = 0;

  function tend(held: Held): void {
    const before = tended.get(held.id);
    // Somebody changed it, and it was taken up again here: what is in hand is of no use any more.
    before?.lost.abort();
    const lost = new AbortController();
    const ended = (before?.ended ?? Promise.resolve())
      .then(() => createTending(held, lost).run())
      .catch(deps.onProblem)
      .finally(() => tended.get(held.id)?.lost === lost && tended.delete(held.id));
    tended.set(held.id, { lost, ended });
  }

  async function claim(): Promise<void> {
    // A few at a time: the others are for the other servers.
    for (const held of await store.claim(database, holder, leaseMs, 4)) tend(held);
    if (performance.now() < pruneAt) return;
    pruneAt = performance.now() + pruneEveryMs;
    const at = now().getTime();
    await store.prune(database, { attempts: new Date(at - 30 * day), dead: new Date(at - 90 * day), secrets: new Date(at) });
  }

  async function loop(): Promise<void> {
    while (!stopping.signal.aborted) {
      await claim().catch(deps.onProblem);
      await new Promise<void>((resolve) => {
        wakeClaim = resolve;
        const timer = setTimeout(resolve, claimMs);
        stopping.signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
      });
    }
    await Promise.all([...tended.values()].map(({ ended }) => ended));
  }

  function createTending(first: Held, lost: AbortController) {
    const signal = AbortSignal.any([lost.signal, stopping.signal]);
    const filter: EventFilter = { types: first.types, run: null, agent: first.agent };
    let secrets: { versions: string; texts: string[] } = { versions: "", texts: [] };

    async function keys() {
      const stored = await store.secrets(database, first.id, now());
      const versions = stored.map(({ version }) => version).join();
      if (versions !== secrets.versions) {
        const texts = stored.map((secret) => openWebhookSecret(deps.masterKey, first.id, secret));
        deps.known.add(texts);
        deps.known.forget(secrets.texts);
        secrets = { versions, texts };
      }
      return { secrets: secrets.texts.map(webhookSecretBytes), privateKey: deps.signingKey.privateKey };
    }

    /** Sends, and writes what came of it. False: the endpoint is somebody else's by now, or gone. */
    async function deliver(
      held: Held,
      lanes: readonly (readonly WaitingDelivery[])[],
      behind: readonly WaitingDelivery[],
      events: ReadonlyMap<number, StreamedEvent>,
      place: number,
    ): Promise<boolean> {
      const to = { url: held.url, keys: await keys() };
      const { gone, ...result } = await sendLanes(lanes, held.failures, {
        schedule: deps.schedule,
        now,
        send: async ({ seq }) => deps.send(to, events.get(seq) ?? (await eventAt(seq)), signal),
      });
      const at = now();
      const failed = result.attempts.some(({ delivered }) => !delivered);
      const settled = await database.transaction(async (transaction) => {
        const mine = await store.settle(transaction, held.id, held.epoch, {
          ...result,
          place,
          left: [
            ...result.left,
            ...behind.map((one) => ({ ...one, state: "waiting" as const, dueAt: at, lastAt: at, status: null, reason: null })),
          ],
          probeAt: result.failures >= downAfter ? new Date(at.getTime() + deps.schedule.probeDelay(result.failures - downAfter)) : null,
          lastSuccessAt: result.attempts.some(({ delivered }) => delivered) ? at : null,
          lastFailureAt: failed ? at : null,
        });
        if (mine && gone) {
          const reason = "The endpoint answered 410: it takes no more events";
          await store.setState(transaction, held.id, "disabled", reason);
          const data = { webhookId: held.id, url: held.url, reason };
          await deps.ledger.append(transaction, [
            { id: deps.newId("entry"), type: "webhook-disabled", at: at.toISOString(), actor: "service:remit", data },
          ]);
        }
        return mine;
      });
      return settled && !gone;
    }

    async function eventAt(seq: number): Promise<StreamedEvent> {
      const [event] = (await feed.read(seq, everything, 1)).events;
      if (event === undefined || Number(event.sequence) !== seq)
        throw new RemitError("internal", `The ledger has no entry ${seq} any more`);
      return event;
    }

    /** One step. How long to wait for the next one at most; null: it is not ours any more. */
    async function pass(): Promise<number | null> {
      const held = await store.renew(database, first.id, first.epoch, leaseMs);
      if (held === null) return null;
      const at = now();
      const isDown = held.failures >= downAfter;
      if (isDown && held.probeAt !== null && held.probeAt > at) return held.probeAt.getTime() - at.getTime();

      const due = await store.due(database, held.id, at, isDown ? { lanes: 1, each: 1 } : { lanes: 8, each: 16 });
      if (due.length > 0) return (await deliver(held, due, [], new Map(), held.place)) ? 0 : null;

      const { lanes: blocked, waiting } = await store.lanes(database, held.id);
      const { events, next } =
        waiting >= maxWaiting ? { events: [], next: held.place } : await feed.read(held.place, filter, isDown ? 1 : windowSize);
      if (next === held.place) {
        const dueAt = waiting === 0 ? null : await store.nextDue(database, held.id);
        const untilDue = dueAt === null ? leaseMs / 3 : Math.max(0, dueAt.getTime() - now().getTime());
        if (waiting < maxWaiting) await feed.untilBeyond(held.place, signal, Math.min(untilDue, leaseMs / 3));
        return waiting < maxWaiting ? 0 : untilDue;
      }
      const deliveries = events.map((event) => deliveryOf(event, at));
      const bySeq = new Map(events.map((event) => [Number(event.sequence), event]));
      const lanes = Map.groupBy(
        deliveries.filter(({ lane }) => !blocked.has(lane)),
        ({ lane }) => lane,
      );
      const behind = deliveries.filter(({ lane }) => blocked.has(lane));
      return (await deliver(held, [...lanes.values()], behind, bySeq, next)) ? 0 : null;
    }

    return {
      async run(): Promise<void> {
        // A pass may take longer than the lease: it is renewed meanwhile, and what is in flight is called off where that fails.
        const renewing = setInterval(() => {
          store.renew(database, first.id, first.epoch, leaseMs).then((held) => held === null && lost.abort(), deps.onProblem);
        }, leaseMs / 3);
        try {
          while (!signal.aborted) {
            const wait = await pass().catch((error: unknown) => {
              if (signal.aborted) return null;
              deps.onProblem(error);
              return 5_000;
            });
            if (wait === null) break;
            if (wait > 0) await pause(Math.min(wait, leaseMs / 3), signal);
          }
        } finally {
          clearInterval(renewing);
          deps.known.forget(secrets.texts);
          await store.release(database, first.id, first.epoch).catch(deps.onProblem);
        }
      },
    };
  }

  const running = loop();
  return {
    wake: () => wakeClaim(),
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

function deliveryOf(event: StreamedEvent, at: Date): WaitingDelivery {
  // Events of no run are one lane among themselves.
  return { seq: Number(event.sequence), entryId: event.id, type: event.type, lane: event.runid ?? "", attempts: 0, firstAt: at };
}
