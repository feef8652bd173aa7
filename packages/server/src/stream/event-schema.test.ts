import { entryTypes } from "@remit/contract";
import { Ajv2020 } from "ajv/dist/2020.js";
import { expect, test } from "vitest";
import { eventSchemaDocument } from "./event-schema.ts";

type Document = {
  operations: { sendEvents: { action: string } };
  channels: { events: { messages: Record<string, unknown> } };
  components: { messages: Record<string, { payload: object }>; schemas: Record<string, object> };
};
const document = () => structuredClone(eventSchemaDocument()) as unknown as Document;

test("[RUN-16] whatever the AsyncAPI document refers to is in it", () => {
  const whole = document();
  const references = [...JSON.stringify(whole).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path]) => path ?? "");
  expect(references.length).toBeGreaterThan(2 * entryTypes.length);
  for (const path of new Set(references)) {
    const found = path.split("/").reduce<unknown>((value, part) => (value as Record<string, unknown> | undefined)?.[part], whole);
    expect(found, path).toBeTypeOf("object");
  }
});

test("each type of event has a message, which takes an event of that type and no other", () => {
  const { components } = document();
  expect(Object.keys(components.messages)).toEqual([...entryTypes]);
  const ajv = new Ajv2020({ strict: false, logger: false, validateFormats: false });
  const takes = (type: string) => ajv.compile({ ...components.messages[type]?.payload, components });
  const event = {
    specversion: "1.0",
    id: "ent_1",
    source: "remit.local/ledger",
    type: "dev.remit.action-denied",
    time: "2026-11-21T10:02:11.874Z",
    datacontenttype: "application/json",
    sequence: "0000000000000017",
    actor: "agent:triage",
    data: { code: "no-grant" },
  };
  expect(takes("action-denied")(event)).toBe(true);
  expect(takes("action-failed")(event)).toBe(false);
  expect(takes("action-denied")({ ...event, sequence: "17" })).toBe(false);
});
