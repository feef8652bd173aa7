import { entryMeanings, entryTypes, eventMediaType, eventTypePrefix, streamedEventSchema } from "@remit/contract";
import { z } from "zod";

/** Every event, as an AsyncAPI 3.0 document. */
export function eventSchemaDocument(): Record<string, unknown> {
  const { $schema: _dialect, ...event } = z.toJSONSchema(streamedEventSchema, { io: "output" });
  return {
    asyncapi: "3.0.0",
    info: {
      title: "Remit events",
      version: "1",
      description:
        "Entries of the ledger as CloudEvents 1.0, in order per run and at least once: the same source and id are the same event.",
    },
    defaultContentType: eventMediaType,
    channels: {
      events: {
        address: "/v1/events",
        messages: Object.fromEntries(entryTypes.map((type) => [type, { $ref: `#/components/messages/${type}` }])),
      },
    },
    operations: { sendEvents: { action: "send", channel: { $ref: "#/channels/events" } } },
    components: {
      messages: Object.fromEntries(
        entryTypes.map((type) => [
          type,
          {
            name: eventTypePrefix + type,
            contentType: eventMediaType,
            summary: entryMeanings[type],
            payload: {
              allOf: [{ $ref: "#/components/schemas/event" }, { type: "object", properties: { type: { const: eventTypePrefix + type } } }],
            },
          },
        ]),
      ),
      schemas: { event },
    },
  };
}
