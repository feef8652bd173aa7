import { JetStreamApiCodes, JetStreamApiError, jetstream, jetstreamManager } from "@nats-io/jetstream";
import type { JetStreamManager } from "@nats-io/jetstream";
import { connect, credsAuthenticator, headers, nanos, NoRespondersError, RequestError } from "@nats-io/transport-node";
import type { NatsConnection } from "@nats-io/transport-node";
import { eventMediaType, eventTypePrefix, RemitError } from "@remit/contract";
import type { StreamedEvent } from "@remit/contract";
import type { NatsSettings } from "./nats-settings.ts";
import type { EventSink } from "./publisher.ts";

const timeoutMs = 5_000;
/** For so long the broker recognises what it was sent before: longer than an outage of ours lasts as a rule. */
const duplicateWindowMs = 30 * 60_000;

/** `remit.<type>.<run>`, so that a consumer can ask for a kind, a noun or a run by its filter. */
export function natsSubject(prefix: string, event: Pick<StreamedEvent, "type" | "runid">): string {
  return `${prefix}.${event.type.slice(eventTypePrefix.length)}.${event.runid ?? "none"}`;
}

/**
 * JetStream. Each event is a message whose id is the event's, which the broker keeps once for as long as it remembers; and it is put into the
 * stream that was named, or refused.
 * @throws RemitError `server-unavailable`, saying what to do
 */
export async function openNatsSink(settings: NatsSettings): Promise<EventSink> {
  const { token, credentials, ca } = settings;
  const connection = await connect({
    servers: settings.servers,
    name: "remit",
    timeout: timeoutMs,
    // An outage is made up for from the cursor: whatever a client kept in memory meanwhile would be sent out of order.
    reconnect: false,
    ...(token === undefined ? {} : { token }),
    ...(credentials === undefined ? {} : { authenticator: credsAuthenticator(new Uint8Array(credentials)) }),
    ...(ca === undefined ? {} : { tls: { ca } }),
  }).catch((cause: unknown) => {
    throw unavailable(`NATS at ${settings.servers.join(", ")} cannot be reached`, cause);
  });
  try {
    await prepareStream(await jetstreamManager(connection, { timeout: timeoutMs, checkAPI: false }), settings);
    return sinkOf(connection, settings);
  } catch (error) {
    await connection.close();
    if (RemitError.is(error)) throw error;
    throw unavailable(`NATS at ${settings.servers.join(", ")} has no JetStream, or does not let Remit use it`, error);
  }
}

async function prepareStream(manager: JetStreamManager, { stream, prefix, createStream }: NatsSettings): Promise<void> {
  const subject = `${prefix}.>`;
  const info = await manager.streams.info(stream).catch((error: unknown) => {
    if (error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound) return null;
    throw error;
  });
  if (info === null) {
    if (!createStream) {
      throw unavailable(`NATS has no stream ${stream}; make one for ${subject}, or set REMIT_NATS_CREATE_STREAM=yes`);
    }
    await manager.streams.add({ name: stream, subjects: [subject], duplicate_window: nanos(duplicateWindowMs) });
  } else if (!(info.config.subjects ?? []).includes(subject)) {
    throw unavailable(`The stream ${stream} of NATS does not take ${subject}; add that subject to it, or name another stream`);
  }
}

function sinkOf(connection: NatsConnection, { stream, prefix }: NatsSettings): EventSink {
  const client = jetstream(connection, { timeout: timeoutMs });
  return {
    async publish(event) {
      const named = headers();
      named.set("content-type", eventMediaType);
      try {
        await client.publish(natsSubject(prefix, event), JSON.stringify(event), {
          msgID: event.id,
          headers: named,
          timeout: timeoutMs,
          retries: 1,
          expect: { streamName: stream },
        });
      } catch (cause) {
        const isGone = cause instanceof NoRespondersError || (cause instanceof RequestError && cause.isNoResponders());
        throw unavailable(isGone ? `NATS has no stream ${stream} any more` : "NATS did not keep an event", cause);
      }
    },
    close: () => connection.close(),
  };
}

function unavailable(message: string, cause?: unknown): RemitError {
  return new RemitError("server-unavailable", message, cause === undefined ? {} : { cause });
}
